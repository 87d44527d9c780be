// Home: what needs a human, and the way to where something can be done about it.
import { Console } from './support/console.ts';
import { expect, routes, test as base } from './support/page.ts';

const test = base.extend<{ own: Console }>({
  // A self-check that fails: nothing listens where its upstream should be.
  own: async ({}, use) => {
    const own = await Console.start('--upstreams=nobody=http://127.0.0.1:9/');
    await use(own);
    await own.stop();
  },
});

test('nothing to do is said calmly, with when it was looked at', async ({ page, url }) => {
  await page.goto(`${url}/`);
  await expect(page).toHaveTitle(/Needs a human/);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Nothing needs a human');
  await expect(page.locator('main')).toContainText('Looked at');
  await expect(page.getByRole('link', { name: 'Needs a human' })).toHaveAttribute('aria-current', 'page');
});

test('a failure is a row until somebody has looked into it', async ({ page, own }) => {
  await own.enter(page.context());
  await own.selfCheck();
  await own.selfCheck();
  await page.goto(`${own.url}/`);
  const row = page.locator('#open-work tbody tr');
  await expect(row).toHaveCount(1);
  await expect(row).toContainText('Self-check stopped at “Upstreams” 2 times');
  await expect(page.locator('#home-summary')).toContainText('2 failed today');
  await row.getByRole('link', { name: /^Self-check stopped/ }).click();
  await expect(page).toHaveURL(/\/system\/ops\/runs\/\d+$/);
  await page.goto(`${own.url}/`);
  await row.getByRole('link', { name: 'Read the runbook' }).click();
  await expect(page).toHaveURL(/\/system\/ops\/runbooks\/system\.self_check/);

  for (const id of [1, 2]) {
    await page.goto(own.url + routes.run(id));
    await page.locator('#triage').getByText('Mark investigated…').click();
    await page.getByLabel('What was found').fill('nobody listens there yet');
    await page.getByRole('button', { name: 'Mark investigated', exact: true }).click();
    await expect(page.locator('main')).toContainText('Marked as investigated.');
  }
  await page.goto(`${own.url}/`);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Nothing needs a human');
  await expect(page.locator('main')).toContainText('investigated by');

  await own.selfCheck();
  await page.goto(`${own.url}/`);
  await expect(row).toContainText('Failed again after');
  await row.getByRole('link', { name: /^#\d+$/ }).click();
  await expect(page).toHaveURL(/\/system\/ops\/runs\/[12]$/);
});

test('news changes the list under nobody’s pointer @scripted', async ({ page, own }) => {
  await own.enter(page.context());
  await page.goto(`${own.url}/`);
  await expect(page.locator('.live')).toContainText('live');
  await page.mouse.move(0, 0);
  await own.selfCheck();
  await expect(page.locator('#open-work tbody tr')).toHaveCount(1);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('1 thing needs a human');
});
