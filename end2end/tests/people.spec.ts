// Deciding who may what: as an admin does it, and as those feel it whom it is about.
import { Console } from './support/console.ts';
import { expect, routes, test as base } from './support/page.ts';

const test = base.extend<{ own: Console }>({
  own: async ({ context }, use) => {
    const own = await Console.start();
    await own.enter(context);
    await use(own);
    await own.stop();
  },
});

test('somebody new gets a link, chooses a password, and may what is granted', async ({ page, own, browser }) => {
  await page.goto(`${own.url}/settings/people`);
  await page.getByText('Add a person…').click();
  const add = page.locator('details.confirm[open] form');
  await add.getByLabel('Login').fill('ada');
  await add.getByLabel('Name', { exact: true }).fill('Ada Lovelace');
  await add.getByRole('button', { name: 'Add', exact: true }).click();
  const link = (await page.getByText(/\/welcome\?link=/).first().innerText()).trim();
  expect(link).toMatch(/\/welcome\?link=[A-Za-z0-9_-]{43}$/);
  await page.goto(`${own.url}/settings/people`);
  await expect(page.getByText('/welcome?link=')).toHaveCount(0);

  const hers = await browser.newContext();
  const ada = await hers.newPage();
  await ada.goto(new URL(link, own.url).href);
  await ada.getByLabel('Password').fill('analytical engine');
  await ada.getByRole('button', { name: 'Go on' }).click();
  await expect(ada).toHaveURL(own.url + routes.home);
  await ada.goto(own.url + routes.account);
  await expect(ada.getByText('nothing is granted to you yet')).toBeVisible();
  const refused = await ada.goto(own.url + routes.runs);
  expect(refused?.status()).toBe(403);
  await expect(ada.getByText('platform.access_system_panel')).toBeVisible();
  await ada.goto(new URL(link, own.url).href);
  await expect(ada.getByText('used before or is too old')).toBeVisible();

  await page.goto(`${own.url}/settings/grants`);
  await page.getByText('Grant…').click();
  const grant = page.locator('details.confirm[open] form');
  await grant.getByRole('combobox', { name: /^Who/ }).fill('ada');
  await grant.getByLabel('Role').selectOption('auditor');
  // Nothing is chosen by itself: everything is a word that one says.
  await grant.getByRole('combobox', { name: /^On/ }).selectOption('everything');
  await grant.getByRole('button', { name: 'Grant', exact: true }).click();
  await expect(page.getByRole('row', { name: /Ada Lovelace/ })).toContainText('Auditor');
  expect((await ada.goto(own.url + routes.runs))?.status()).toBe(200);

  await page.goto(`${own.url}/settings/people`);
  await page.getByRole('link', { name: /Ada Lovelace/ }).click();
  await page.getByText('Disable…').click();
  await page.getByRole('button', { name: 'Disable', exact: true }).click();
  await ada.reload();
  await expect(ada).toHaveURL(/\/sign-in/);
  await hers.close();
});

test('a key of one’s own is shown once, works, and is revoked', async ({ page, own }) => {
  await page.goto(`${own.url}/account/keys`);
  await page.getByText(/^Make a key…/).click();
  const make = page.locator('details.confirm[open] form');
  await make.getByLabel('Name').fill('laptop');
  await make.getByLabel('platform.access_system_panel').check();
  await make.getByLabel('platform.operations.view').check();
  await make.getByRole('button', { name: 'Make the key' }).click();
  const key = (await page.getByText(/^qd_[A-Za-z0-9_-]{43}$/).first().innerText()).trim();
  const ask = async (path: string) => (await fetch(own.url + path, { headers: { authorization: `Bearer ${key}` } })).status;
  expect(await ask('/api/v1/operations')).toBe(200);
  expect(await ask('/api/v1/audit')).toBe(403);
  await page.goto(`${own.url}/account/keys`);
  await expect(page.getByText(key)).toHaveCount(0);
  const row = page.getByRole('row', { name: /laptop/ });
  await row.getByText('Revoke…').click();
  await row.getByRole('button', { name: 'Revoke', exact: true }).click();
  await expect(page.getByRole('row', { name: /laptop/ })).toContainText('revoked');
  expect(await ask('/api/v1/operations')).toBe(401);
});

test('an auditor sees all of it and can change nothing', async ({ page, own }) => {
  await own.enter(page.context(), 'auditor');
  for (const path of ['/settings/people', '/settings/grants', '/settings/keys', '/settings/workspaces']) {
    await page.goto(own.url + path);
    await expect(page.locator('main form[method=post]')).toHaveCount(0);
    await expect(page.locator('main')).toContainText(/needs? the capability (identity|settings)\.manage|identity\.manage|settings\.manage/);
  }
  const forged = await page.request.post(`${own.url}/settings/grants`, {
    form: { do: 'add', subject_kind: 'group', subject: 'everyone', role: 'admin', workspace_id: '' },
    headers: { origin: own.url },
  });
  expect(forged.status()).toBe(403);
  await page.goto(`${own.url}/audit?decision=denied`);
  await expect(page.getByText('needs identity.manage').first()).toBeVisible();
});

test('what is done is in the audit log, and its export verifies', async ({ page, own }) => {
  await own.selfCheck();
  await page.goto(`${own.url}/audit`);
  await page.getByRole('link', { name: /identity\.person\.add/ }).first().click();
  await expect(page.getByRole('heading', { level: 1 })).toContainText('identity.person.add');
  await page.goto(`${own.url}/audit`);
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'NDJSON bundle' }).click(),
  ]);
  expect(download.suggestedFilename()).toMatch(/^quarterdeck-audit-.*\.ndjson$/);
  const verified = await own.verify(await download.path());
  expect(verified.code, verified.said).toBe(0);
  await page.goto(`${own.url}${routes.run(1)}`);
  await expect(page.getByRole('heading', { name: /Audit/ })).toBeVisible();
});
