// What wakes up with JavaScript: news of runs, the keyboard, copying. Each test has a console of its own,
// since it stops it or counts what is new.
import { Console, until } from './support/console.ts';
import { Upstream } from './support/upstream.ts';
import { expect, routes, test as base } from './support/page.ts';

const test = base.extend<{ own: Console }>({
  own: async ({ context }, use) => {
    const own = await Console.start();
    await own.selfCheck();
    await own.enter(context);
    await use(own);
    await own.stop();
  },
});

const rows = 'section#runs tbody tr';
const pill = '.live button.pill';

test.describe('live @scripted', () => {
  test('"3 new" comes as a pill and its click brings the rows', async ({ page, own }) => {
    await page.goto(own.url + routes.runs);
    await expect(page.locator('.live')).toContainText('live');
    const before = await page.locator(rows).count();
    const top = await page.locator(rows).first().getAttribute('data-id');
    for (let run = 0; run < 3; run += 1) await own.selfCheck();
    await expect(page.locator(pill)).toHaveText('3 new');
    await expect(page.locator(rows).first()).toHaveAttribute('data-id', top ?? '');
    await page.locator(pill).click();
    await expect(page.locator(rows)).toHaveCount(before + 3);
    await expect(page.locator(pill)).toHaveCount(0);
    expect(Number(await page.locator(rows).first().getAttribute('data-id'))).toBe(Number(top) + 3);
  });

  test('a refetch keeps the focus where it was', async ({ page, own }) => {
    await page.goto(own.url + routes.runs);
    await expect(page.locator('.live')).toContainText('live');
    const link = page.locator(rows).first().getByRole('link');
    const href = await link.getAttribute('href');
    await own.selfCheck();
    await expect(page.locator(pill)).toHaveText('1 new');
    await link.focus();
    await page.locator(pill).evaluate((button) => (button as HTMLElement).click());
    await expect(page.locator(pill)).toHaveCount(0);
    await expect(page.locator(':focus')).toHaveAttribute('href', href ?? '');
  });

  test('paused means paused, and resuming catches up', async ({ page, own }) => {
    await page.goto(own.url + routes.runs);
    await expect(page.locator('.live')).toContainText('live');
    await page.getByRole('button', { name: 'Pause' }).click();
    await expect(page.locator('.live')).toContainText('paused');
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    await own.selfCheck();
    await own.selfCheck();
    await expect(page.locator(pill)).toHaveCount(0);
    expect(asked).toEqual([]);
    await page.getByRole('button', { name: 'Resume' }).click();
    await expect(page.locator(pill)).toHaveText('2 new');
  });

  test('a restarted server is found again, and nothing is missed', async ({ page, own }) => {
    await page.goto(own.url + routes.runs);
    await expect(page.locator('.live')).toContainText('live');
    await own.end();
    await expect(page.locator('.live')).toContainText('reconnecting since');
    await own.launch();
    await own.selfCheck();
    await expect(page.locator('.live')).toContainText('live', { timeout: 40_000 });
    await expect(page.locator(pill)).toHaveText('1 new', { timeout: 40_000 });
  });

  test('an open operation follows its run to the end', async ({ page }) => {
    const upstream = await Upstream.start();
    const own = await Console.start(`--upstreams=slow=${upstream.url}`);
    try {
      await own.enter(page.context());
      await page.goto(own.url + routes.runbooks);
      await page.getByRole('button', { name: 'Start self-check' }).click();
      await expect(page.locator('section#standing')).toContainText('running');
      await page.evaluate(() => Object.assign(window, { stayed: true }));
      upstream.answer();
      await expect(page.locator('section#standing')).toContainText('completed');
      expect(await page.evaluate('window.stayed'), 'the page was not loaded again').toBe(true);
    } finally {
      await own.stop();
      upstream.stop();
    }
  });

  test('the call behind the pill answers with a type and a status, never with a library\'s words', async ({ page, own }) => {
    const call = (body: string) =>
      page.request.post(`${own.url}/api/ui/operations/newer`, {
        headers: { 'content-type': 'application/x-www-form-urlencoded', origin: own.url },
        data: body,
      });
    const good = await call('query=status%3Dqueued&after=0');
    expect([good.status(), await good.json()]).toEqual([200, 0]);
    const refused = await call('query=status%3Dsleeping&after=0');
    expect(refused.status()).toBe(422);
    expect(JSON.stringify(await refused.json())).toContain('"field":"status"');
    const malformed = await call('query=&after=soon');
    expect([malformed.status(), await malformed.json()]).toEqual([400, { Transport: 'Args' }]);
  });

  test('the keyboard goes where its help says', async ({ page, own }) => {
    await page.goto(own.url + routes.runs);
    await expect(page.locator('.live')).toContainText('live');
    await page.keyboard.press('j');
    await expect(page.locator(':focus')).toHaveClass(/row/);
    await page.keyboard.press('/');
    await expect(page.locator(':focus')).toHaveAttribute('name', 'q');
    await page.keyboard.type('jk?');
    await expect(page.getByRole('searchbox')).toHaveValue('jk?');
    await page.keyboard.press('Escape');
    await page.keyboard.press('?');
    await expect(page.getByText('Next, previous row')).toBeVisible();
    await page.keyboard.press('Escape');
    await expect(page.getByText('Next, previous row')).toBeHidden();
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await expect(page).toHaveURL(/\/system\/ops\/runs\/\d+$/);
  });

  test('an id is copied', async ({ page, own, context }) => {
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    const id = await own.selfCheck();
    await page.goto(own.url + routes.run(id));
    await page.getByRole('button', { name: 'Copy', exact: true }).click();
    await until('the clipboard holds the id', async () => {
      return (await page.evaluate(() => navigator.clipboard.readText())) === String(id);
    });
  });

  test('times are told in the zone of the reader once the browser has named it', async ({ browser, own }) => {
    const context = await browser.newContext({ timezoneId: 'Asia/Tokyo' });
    await own.enter(context);
    const page = await context.newPage();
    await page.goto(own.url + routes.runs);
    await until('the zone is kept', async () => {
      return (await context.cookies()).some((cookie) => cookie.name === 'qd_zone');
    });
    await page.reload();
    await expect(page.locator('time').first()).toHaveAttribute('title', /JST|Asia\/Tokyo/);
    await context.close();
  });
});
