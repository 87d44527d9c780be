// Runbooks: read, looked at before saving, written by two at once, and started from, with JavaScript and without.
import { Console } from './support/console.ts';
import { expect, routes, test as base } from './support/page.ts';

const test = base.extend<{ own: Console }>({
  // What is written stays: a console of the test's own.
  own: async ({}, use) => {
    const own = await Console.start();
    await use(own);
    await own.stop();
  },
});

const page_of = `${routes.runbooks}/system.self_check`;

test('a type says how it is done, and its text leads to its form', async ({ page, url }) => {
  await page.goto(url + routes.runbooks);
  await page.getByRole('link', { name: 'Self-check', exact: true }).click();
  await expect(page).toHaveURL(url + page_of);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Self-check');
  for (const said of ['starts again by itself', 'every 5 minutes', 'platform.operations.manage']) {
    await expect(page.locator('main')).toContainText(said);
  }
  await page.getByRole('link', { name: 'start a self-check' }).click();
  await expect(page).toHaveURL(/system\.self_check\?workspace_id=1#start$/);
});

test('an operation is started with what was chosen, and a form sent twice starts one', async ({ page, url }) => {
  await page.goto(url + page_of);
  await page.getByLabel('Check only').selectOption('disk');
  await page.getByRole('button', { name: 'Start self-check' }).click();
  await expect(page).toHaveURL(/\/system\/ops\/runs\/\d+$/);
  const first = page.url();
  await page.goBack();
  await page.getByLabel('Check only').selectOption('disk');
  await page.getByRole('button', { name: 'Start self-check' }).click();
  await expect(page).toHaveURL(/\/system\/ops\/runs\/\d+$/);
  // A page that was drawn anew has a key of its own; one that the browser kept has the same.
  if (page.url() === first) await expect(page.getByText('Already started')).toBeVisible();
});

test('a start that is refused keeps what was typed', async ({ page, url }) => {
  await page.goto(url + page_of);
  await page.getByText('Target, priority, time').click();
  await page.getByLabel('Target').fill('no kind');
  await page.getByRole('button', { name: 'Start self-check' }).click();
  await expect(page.getByRole('alert')).toContainText('target');
  await expect(page.getByLabel('Target')).toHaveValue('no kind');
  await expect(page.getByLabel('Target')).toBeVisible();
});

test('a text is looked at, saved, compared and brought back', async ({ page, own }) => {
  await own.enter(page.context());
  await page.goto(own.url + page_of);
  await page.getByText('Write another text for this workspace…').click();
  const text = page.getByLabel(/^Runbook of platform/);
  await expect(text).toHaveValue(/^# Self-check/);
  await text.fill('# Ours\n\n<script>alert(1)</script>\n\nTake *care*');
  await page.getByRole('button', { name: 'Preview' }).click();
  await expect(page.locator('#preview')).toContainText('<script>alert(1)</script>');
  await expect(page.locator('#preview em')).toHaveText('care');
  await expect(text).toHaveValue('# Ours\n\n<script>alert(1)</script>\n\nTake *care*');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByText('The runbook was saved')).toBeVisible();
  await expect(page.locator('#text')).toContainText('version 1 of platform');

  await page.getByText('Write another text for this workspace…').click();
  await text.fill('');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByText('The runbook of the product counts')).toBeVisible();
  await page.getByRole('link', { name: 'Version 1' }).click();
  await expect(page.locator('.diff ins').first()).toContainText('+ # Ours');
  await page.getByText('Bring this version back…').click();
  await page.getByRole('button', { name: 'Bring it back' }).click();
  await expect(page.locator('#text')).toContainText('version 3 of platform');
  await expect(page.locator('#text em')).toHaveText('care');
});

test('of two who write at once the second is told, and keeps the text', async ({ page, own, browser }) => {
  await own.enter(page.context());
  const other = await browser.newContext();
  await own.enter(other);
  const theirs = await other.newPage();
  for (const one of [page, theirs]) {
    await one.goto(own.url + page_of);
    await one.getByText('Write another text for this workspace…').click();
  }
  await theirs.getByLabel(/^Runbook of platform/).fill('theirs');
  await theirs.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(theirs.getByText('The runbook was saved')).toBeVisible();
  await page.getByLabel(/^Runbook of platform/).fill('mine');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByRole('alert')).toContainText('somebody else was faster');
  await expect(page.getByLabel(/^Runbook of platform/)).toHaveValue('mine');
  await expect(page.getByLabel(/^Runbook of platform/)).toBeVisible();
  // Told so, they may write over it.
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.locator('#text')).toContainText('version 2 of platform');
  await other.close();
});

test.describe('somebody who may only look', () => {
  test.use({ as: 'auditor' });

  test('sees no form, and which capability is missing', async ({ page, url }) => {
    await page.goto(url + page_of);
    await expect(page.locator('main form[method=post]')).toHaveCount(0);
    await expect(page.locator('main')).toContainText('platform.runbooks.manage');
    await expect(page.locator('#start')).toContainText('platform.operations.manage');
  });
});
