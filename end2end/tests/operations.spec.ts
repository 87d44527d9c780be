// The operations pages as anybody reads them: each of these holds with JavaScript and without.
import { expect, routes, test } from './support/page.ts';

const rows = 'section#runs tbody tr';

test('the list asks which operation to open next, and offers one way out', async ({ page, url }) => {
  await page.goto(url + routes.runs);
  await expect(page).toHaveTitle(/Operations/);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Operations');
  await expect(page.locator('main .actions').first().getByRole('link')).toHaveText(['Go to runbooks']);
  await expect(page.locator(rows).first()).toContainText('Operation #');
  await expect(page.locator(rows).first()).toContainText('platform');
  expect(await page.locator(`${rows} button, ${rows} input`).count()).toBe(0);
  for (const row of await page.locator(rows).all()) expect(await row.getByRole('link').count()).toBe(1);
});

test('a click anywhere on a row opens it', async ({ page, url }) => {
  await page.goto(url + routes.runs);
  const cell = await page.locator(rows).first().locator('td').last().boundingBox();
  if (!cell) throw new Error('the row is drawn');
  await page.mouse.click(cell.x + cell.width / 2, cell.y + cell.height / 2);
  await expect(page).toHaveURL(/\/system\/ops\/runs\/\d+$/);
  await expect(page.getByRole('heading', { level: 1 })).toContainText(/^Operation #\d+ · /);
});

test('the keyboard opens a row', async ({ page, url }) => {
  await page.goto(url + routes.runs);
  await page.locator(rows).first().getByRole('link').focus();
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/system\/ops\/runs\/\d+$/);
});

test('the first thing on the tab key is the way past the navigation', async ({ page, url }) => {
  await page.goto(url + routes.runs);
  await page.keyboard.press('Tab');
  await expect(page.locator(':focus')).toHaveText('Skip to content');
});

test('the URL is the state of the filters', async ({ page, url }) => {
  await page.goto(url + routes.runs);
  await page.getByText('Any outcome', { exact: true }).click();
  await page.getByLabel('succeeded', { exact: true }).check();
  await page.getByText('Any status', { exact: true }).click();
  await page.getByLabel('completed', { exact: true }).check();
  await page.getByRole('button', { name: 'Filter', exact: true }).click();
  await expect(page).toHaveURL(/[?&]outcome=succeeded/);
  await expect(page).toHaveURL(/[?&]status=completed/);
  await page.getByText('Outcome: succeeded', { exact: true }).click();
  await expect(page.getByLabel('succeeded', { exact: true })).toBeChecked();
  await page.getByRole('link', { name: /Remove filter Status/ }).click();
  await expect(page).not.toHaveURL(/status=/);
  await page.getByRole('link', { name: 'Clear filters' }).click();
  await expect(page).toHaveURL(url + routes.runs);
});

test('a search finds what it names and says when there is nothing', async ({ page, url }) => {
  await page.goto(url + routes.runs);
  await page.getByRole('searchbox').fill('nobody ever wrote this');
  await page.getByRole('button', { name: 'Filter', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'No operation matches' })).toBeVisible();
  await expect(page.getByRole('searchbox')).toHaveValue('nobody ever wrote this');
  await page.locator('section#runs').getByRole('link', { name: 'Clear filters' }).click();
  await expect(page.locator(rows).first()).toBeVisible();
});

test('older and newer pages are complete and without doubles', async ({ page, url }) => {
  await page.goto(`${url}${routes.runs}?page_size=1`);
  const first = await page.locator(rows).first().getAttribute('data-id');
  await page.getByRole('link', { name: 'Older' }).click();
  const second = await page.locator(rows).first().getAttribute('data-id');
  expect(Number(second)).toBe(Number(first) - 1);
  await page.getByRole('link', { name: 'Newer' }).click();
  await expect(page.locator(rows).first()).toHaveAttribute('data-id', first ?? '');
});

test('a value that the list cannot take is named, and there is a way back', async ({ page, url }) => {
  const answer = await page.goto(`${url}${routes.runs}?status=sleeping&page_size=101`);
  expect(answer?.status()).toBe(422);
  await expect(page.getByRole('alert')).toContainText('status');
  await expect(page.getByRole('alert')).toContainText('page_size');
  await page.getByRole('alert').getByRole('link', { name: 'Show all operations' }).click();
  await expect(page).toHaveURL(url + routes.runs);
});

test('an operation shows what happened, step by step', async ({ page, url }) => {
  await page.goto(url + routes.runs);
  await page.locator(rows).last().getByRole('link').click();
  await expect(page.getByRole('heading', { name: 'What happened' })).toBeVisible();
  expect(await page.locator('ol.steps > li').count()).toBeGreaterThan(2);
  const header = page.locator('main .actions').first();
  await expect(header.getByRole('link')).toHaveText(['Show all operations', 'Go to runbooks']);
  await header.getByRole('link', { name: 'Show all operations' }).click();
  await expect(page).toHaveURL(url + routes.runs);
});

for (const path of ['/system/ops/runs/999999', '/system/ops/runs/first', '/no/such/page']) {
  test(`${path} is not found, says so and leads on`, async ({ page, url }) => {
    const answer = await page.goto(url + path);
    expect(answer?.status()).toBe(404);
    await expect(page.getByRole('heading', { level: 1 })).toContainText('not found');
    await expect(page.locator('main').getByRole('link').first()).toBeVisible();
  });
}

test('a self-check is started from its runbook', async ({ page, url }) => {
  await page.goto(url + routes.runbooks);
  await page.getByRole('button', { name: 'Start self-check' }).click();
  await expect(page).toHaveURL(/\/system\/ops\/runs\/\d+$/);
  await expect(page.getByText('started', { exact: false }).first()).toBeVisible();
  await expect
    .poll(async () => {
      await page.reload();
      return page.locator('section#standing').innerText();
    })
    .toContain('completed');
  await expect(page.locator('.alert, [role=status].flash')).toHaveCount(0);
});

test('a form that somebody forged is refused on the same page, in our words', async ({ page, url }) => {
  const answer = await page.request.post(url + routes.runbooks, {
    form: { type: 'no.such.type"><script>alert(1)</script>' },
    headers: { origin: url },
  });
  expect(answer.status()).toBeGreaterThanOrEqual(404);
  expect(answer.status()).toBeLessThan(423);
  expect(await answer.text()).not.toContain('<script>alert(1)');
});

test('background tasks are listed with their state', async ({ page, url }) => {
  await page.goto(url + routes.tasks);
  await expect(page.getByRole('row').nth(1)).toBeVisible();
  await expect(page.locator('tbody').filter({ hasText: 'running' }).first()).toBeVisible();
});

test('a banner says that this is a demo', async ({ page, url }) => {
  await page.goto(url + routes.runs);
  await expect(page.getByText(/whoever uses this machine can enter as anybody/)).toBeVisible();
});

for (const path of [routes.runs, '/system/ops/runs/999999', '/no/such/page', `${routes.runs}?page=0`]) {
  test(`the policy of ${path} fits each of its scripts`, async ({ page, url }) => {
    const answer = await page.goto(url + path);
    const policy = answer?.headers()['content-security-policy'] ?? '';
    const nonce = /'nonce-([^']+)'/.exec(policy)?.[1];
    expect(nonce, policy).toBeTruthy();
    expect(policy).not.toContain('unsafe-inline');
    const html = (await answer?.text()) ?? '';
    const scripts = html.match(/<script\b[^>]*>/g) ?? [];
    expect(scripts.length).toBeGreaterThan(0);
    for (const script of scripts) expect(script).toContain(`nonce="${nonce}"`);
    expect(html).not.toMatch(/\sstyle="/);
  });
}
