// One operation, read from top to bottom: its log with and without JavaScript, what stands beside it, and how the
// page follows a run that goes on.
import { Console, until } from './support/console.ts';
import { Upstream } from './support/upstream.ts';
import { expect, routes, test as base } from './support/page.ts';

const test = base.extend<{ slow: { own: Console; upstream: Upstream } }>({
  /** A console whose self-check waits until the test says so. */
  slow: async ({ context }, use) => {
    const upstream = await Upstream.start();
    const own = await Console.start(`--upstreams=slow=${upstream.url}`);
    await own.enter(context);
    await use({ own, upstream });
    await own.stop();
    upstream.stop();
  },
});

const lines = '#log-lines > li';

/** Starts a self-check and does not wait for it. */
async function start(own: Console): Promise<number> {
  const answer = await fetch(`${own.url}/api/v1/operations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': own.key('admin') },
    body: JSON.stringify({ type: 'system.self_check' }),
  });
  return ((await answer.json()) as { id: number }).id;
}

test('the page tells what was written, what is different, and what to do', async ({ page, slow }) => {
  slow.upstream.answer();
  const first = await slow.own.selfCheck();
  const id = await slow.own.selfCheck();
  await page.goto(slow.own.url + routes.run(id));
  await expect(page).toHaveTitle(new RegExp(`Operation #${id}`));
  await expect(page.locator(lines).first()).toContainText('Store check');
  await expect(page.locator(lines).first().locator('b')).toHaveText('info');
  await expect(page.locator(`${lines} time`).first()).toHaveAttribute('title', /UTC|\//);
  await expect(page.getByRole('heading', { name: 'Since the last success' })).toBeVisible();
  await expect(page.getByRole('link', { name: `#${first}` })).toBeVisible();
  await expect(page.getByRole('heading', { name: 'Runbook', exact: true })).toBeVisible();
  const file = await page.request.get(`${slow.own.url}${routes.run(id)}/log`);
  expect(file.headers()['content-type']).toBe('text/plain; charset=utf-8');
  expect((await file.text()).split('\n')[0]).toMatch(/^\d{4}-\d\d-\d\dT.* info {2}Store check/);
});

test('the page fits a narrow screen', async ({ page, slow }) => {
  slow.upstream.answer();
  const id = await slow.own.selfCheck();
  await page.setViewportSize({ width: 390, height: 800 });
  await page.goto(slow.own.url + routes.run(id));
  await expect(page.locator(lines).first()).toBeVisible();
  expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
});

test('without JavaScript there are the lines and no tools @plain', async ({ page, slow }) => {
  slow.upstream.answer();
  const id = await slow.own.selfCheck();
  await page.goto(slow.own.url + routes.run(id));
  await expect(page.locator(lines).first()).toBeVisible();
  await expect(page.locator('.logtools')).toBeHidden();
});

test.describe('the log @scripted', () => {
  test('lines arrive while it runs, and a pause keeps the place', async ({ page, slow }) => {
    const id = await start(slow.own);
    await page.goto(slow.own.url + routes.run(id));
    await expect(page.locator(lines).filter({ hasText: 'Asking the upstreams' })).toHaveCount(1);
    await page.evaluate(() => Object.assign(window, { stayed: true }));
    const before = await page.locator(lines).count();
    await page.getByRole('button', { name: 'Pause the log' }).click();
    slow.upstream.answer();
    await expect(page.locator('section#standing')).toContainText('completed');
    await expect(page.locator('.logtools')).toContainText('1 new line');
    expect(await page.locator(lines).count()).toBe(before);
    await page.getByRole('button', { name: 'Follow the log' }).click();
    await expect(page.locator(lines)).toHaveCount(before + 1);
    await expect(page.locator(lines).last()).toContainText('slow: ');
    await expect(page.locator('#log-place')).toHaveText(`lines 1 to ${before + 1}`);
    expect(await page.evaluate('window.stayed'), 'the page was not loaded again').toBe(true);
  });

  test('a word is found, stepped through, and let go', async ({ page, slow }) => {
    slow.upstream.answer();
    const id = await slow.own.selfCheck();
    await page.goto(slow.own.url + routes.run(id));
    const field = page.getByRole('searchbox', { name: 'Find in the log' });
    await field.fill('STORE');
    await expect(page.locator('.logsearch')).toContainText('1 of 1');
    await expect(page.locator('#log-lines mark.here')).toHaveText('Store');
    await field.fill('s');
    // The count of the word before stands until the new one is looked for.
    await expect(page.locator('.logsearch')).toContainText(/1 of ([2-9]|\d\d)/);
    await field.press('Enter');
    await expect(page.locator('.logsearch')).toContainText(/2 of \d+/);
    await field.press('Shift+Enter');
    await expect(page.locator('.logsearch')).toContainText(/1 of \d+/);
    await page.getByRole('button', { name: 'Previous' }).click();
    await expect(page.locator('.logsearch')).toContainText(/(\d+) of \1/);
    await field.fill('nobody wrote this');
    await expect(page.locator('.logsearch')).toContainText('no match');
    await expect(page.locator('#log-lines mark')).toHaveCount(0);
    await expect(page.locator(lines).first()).toContainText('Store check');
  });

  test('lines are wrapped or not, and copied as a whole', async ({ page, context, slow }) => {
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    slow.upstream.answer();
    const id = await slow.own.selfCheck();
    await page.goto(slow.own.url + routes.run(id));
    const wrap = page.getByRole('button', { name: 'Wrap lines' });
    await expect(wrap).toHaveAttribute('aria-pressed', 'true');
    await wrap.click();
    await expect(wrap).toHaveAttribute('aria-pressed', 'false');
    await expect(page.locator('#log-box')).not.toHaveClass(/wrap/);
    await page.getByRole('button', { name: 'Copy the log' }).click();
    await until('the clipboard holds the log', async () => {
      const text = await page.evaluate(() => navigator.clipboard.readText());
      return /^\d{4}-\d\d-\d\dT\S+ info {2}Store check/.test(text);
    });
  });

  test('the keyboard reaches every tool and the lines', async ({ page, slow }) => {
    slow.upstream.answer();
    const id = await slow.own.selfCheck();
    await page.goto(slow.own.url + routes.run(id));
    await page.getByRole('searchbox', { name: 'Find in the log' }).focus();
    for (const name of ['Wrap lines', 'Copy the log']) {
      await page.keyboard.press('Tab');
      await expect(page.locator(':focus')).toHaveText(name);
    }
    await page.keyboard.press('Tab');
    await expect(page.locator(':focus')).toHaveAttribute('id', 'log-box');
  });
});
