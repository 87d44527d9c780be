// What a cluster's page changes: what opens it, what it is called, whether it is there at all. And what of it needs a
// human, until somebody has done it. With JavaScript and without; each on a console of its own.
import type { Page } from '@playwright/test';
import { api, names, register, test } from './support/fleet.ts';
import { expect } from './support/page.ts';

const opened = 'details.confirm[open] form';

test('what opens it is stored, checked, rotated and removed from its page', async ({ page, own, practice }) => {
  const id = await register(own, { name: 'closed', api_server_url: practice.url });
  const credential = page.locator('section.card').filter({ has: page.getByRole('heading', { name: 'Credential' }) });
  await page.goto(`${own.url}/clusters/${id}`);
  await expect(credential).toContainText('Nothing is stored that opens this cluster.');
  await credential.getByText('Store a credential…').click();

  // One that nobody knows is not stored, and does not come back.
  await page.locator(opened).getByLabel(/^Token/).fill('a-token-of-nobody');
  await page.locator(opened).getByRole('textbox', { name: /^Certificate authority/ }).fill(practice.ca);
  await page.locator(opened).getByRole('button', { name: 'Store it' }).click();
  await expect(page.locator(opened).getByRole('alert')).toContainText('does not know this credential (401)');
  await expect(page.locator(opened).getByLabel(/^Token/)).toHaveValue('');
  expect(await page.content()).not.toContain('a-token-of-nobody');

  await page.locator(opened).getByLabel(/^Token/).fill(practice.token);
  await page.locator(opened).getByRole('textbox', { name: /^Certificate authority/ }).fill(practice.ca);
  await page.locator(opened).getByRole('button', { name: 'Store it' }).click();
  await expect(page.locator('main')).toContainText('The credential was stored');
  await expect(credential).toContainText('version 1');
  await expect(credential).toContainText('fleet-access:viewer');
  await credential.getByRole('button', { name: 'Check it' }).click();
  await expect(page.locator('main')).toContainText('The credential was checked');
  await expect(credential).toContainText('opens it');

  await credential.getByText('Rotate…').click();
  await page.locator(opened).getByRole('textbox', { name: /^Kubeconfig/ }).fill(practice.kubeconfig());
  await page.locator(opened).getByRole('button', { name: 'Store it' }).click();
  await expect(page.locator('main')).toContainText('The credential was stored');
  await expect(credential).toContainText('version 2');
  await expect(page.getByRole('table', { name: 'What is not healthy, the worst first' })).toBeVisible();
  expect(await page.content()).not.toContain(practice.token);

  await credential.getByText('Remove it…').click();
  await page.locator(opened).getByRole('button', { name: 'Remove the credential' }).click();
  await expect(page.locator('main')).toContainText('The credential was erased');
  await expect(credential).toContainText('Nothing is stored that opens this cluster.');
  await expect(page.locator('main')).toContainText('unknown');
});

test('its settings are changed, cleared, and kept as typed when refused', async ({ page, own }) => {
  const about = { region: 'eu-north', display_name: 'The old pier', labels: { team: 'platform', tier: 'core' } };
  const id = await register(own, { name: 'pier', transport: 'outpost', ...about });
  const facts = page.locator('section.card').filter({ has: page.getByRole('heading', { name: 'Facts' }) });
  await page.goto(`${own.url}/clusters/${id}`);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('The old pier');
  await expect(facts).toContainText('eu-north');
  await page.getByText('Edit…').click();
  const form = page.locator(opened);
  await form.getByLabel('Region').fill('');
  await form.getByRole('textbox', { name: /^Labels/ }).fill('no label at all');
  await form.getByRole('button', { name: 'Save' }).click();
  await expect(form.getByRole('alert')).toContainText('labels');
  await expect(form.getByLabel('Region'), 'what was emptied stays empty').toHaveValue('');
  await expect(form.getByRole('textbox', { name: /^Labels/ })).toHaveValue('no label at all');

  await form.getByRole('textbox', { name: /^Labels/ }).fill('tier=edge');
  await form.getByLabel('Shown as').fill('');
  await form.getByLabel('Environment').selectOption('STAGING');
  await form.getByRole('button', { name: 'Save' }).click();
  await expect(page.locator('main')).toContainText('The settings were saved.');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('pier');
  await expect(facts).not.toContainText('eu-north');
  await expect(facts).toContainText('tier=edge');
  await expect(facts).not.toContainText('team=platform');
  await expect(facts).toContainText('staging', { ignoreCase: true });
});

test('of two who edit at once the second is told, and nothing is lost', async ({ page, own }) => {
  const id = await register(own, { name: 'pier', transport: 'outpost', region: 'eu-north' });
  await page.goto(`${own.url}/clusters/${id}`);
  await page.getByText('Edit…').click();
  await page.locator(opened).getByLabel('Region').fill('eu-west');
  expect((await api(own, 'PATCH', `/api/v1/clusters/${id}`, { region: 'eu-south' })).status).toBe(200);
  await page.locator(opened).getByRole('button', { name: 'Save' }).click();
  await expect(page.locator(opened).getByRole('alert')).toBeVisible();
  await expect(page.locator(opened).getByLabel('Region')).toHaveValue('eu-west');
  expect((await api(own, 'GET', `/api/v1/clusters/${id}`)).json().region).toBe('eu-south');
});

test('it is removed by whoever types its name', async ({ page, own }) => {
  await register(own, { name: 'stays', transport: 'outpost' });
  const id = await register(own, { name: 'goes', transport: 'outpost' });
  await page.goto(`${own.url}/clusters/${id}`);
  await page.getByText('Remove the cluster…').click();
  await page.locator(opened).getByRole('textbox', { name: /^Its name/ }).fill('stays');
  await page.locator(opened).getByRole('button', { name: 'Remove the cluster' }).click();
  await expect(page.locator(opened).getByRole('alert')).toContainText('goes');
  await expect(page.locator(opened).getByRole('textbox', { name: /^Its name/ })).toHaveValue('stays');
  expect(await names(own)).toEqual(['goes', 'stays']);
  await page.locator(opened).getByRole('textbox', { name: /^Its name/ }).fill('goes');
  await page.locator(opened).getByRole('button', { name: 'Remove the cluster' }).click();
  await expect(page).toHaveURL(`${own.url}/clusters`);
  await expect(page.locator('main')).toContainText('The cluster was removed');
  await expect(page.locator('tbody tr')).toHaveCount(1);
  expect((await page.goto(`${own.url}/clusters/${id}`))?.status()).toBe(404);
});

test('a credential that ends soon needs a human until it is rotated', async ({ page, own, practice }) => {
  const credentials = { auth_type: 'SERVICE_ACCOUNT', token: await practice.tokenFor(72), certificate_authority: practice.ca };
  await register(own, { name: 'ending', api_server_url: practice.url, credentials });
  await page.goto(`${own.url}/`);
  const row = page.locator('#open-work tbody tr').filter({ hasText: 'The credential of ending ends in' });
  await expect(row).toContainText('ends soon');
  await page.goto(`${own.url}/clusters`);
  await expect(page.locator('#clusters tbody tr')).toContainText('ends soon');
  await page.goto(`${own.url}/`);
  await row.getByRole('link', { name: 'Rotate it' }).click();
  await page.getByText('Rotate…').click();
  await page.locator(opened).getByLabel(/^Token/).fill(practice.token);
  await page.locator(opened).getByRole('button', { name: 'Store it' }).click();
  await expect(page.locator('main')).toContainText('The credential was stored');
  await page.goto(`${own.url}/`);
  await expect(row).toHaveCount(0);
});

test('a cluster that cannot be reached needs a human until it is back', async ({ page, own, practice }) => {
  test.setTimeout(120_000);
  const gate = await practice.gate();
  try {
    const credentials = { auth_type: 'KUBECONFIG', kubeconfig: practice.kubeconfig().replaceAll(practice.url, gate.url) };
    const about = { cluster_type: 'HUB', credentials };
    const id = await register(own, { name: 'island', api_server_url: gate.url, ...about });
    const row = page.locator('#open-work tbody tr').filter({ hasText: 'island cannot be reached' });
    await isLookedAt(page, `${own.url}/clusters/${id}`, 'online');
    await page.goto(`${own.url}/`);
    await expect(row).toHaveCount(0);

    await gate.shut();
    await isLookedAt(page, `${own.url}/clusters/${id}`, 'offline');
    await expect(page.locator('main')).toContainText('Nothing answers at this address.');
    await page.goto(`${own.url}/`);
    await expect(row).toContainText('offline');
    await row.getByRole('link', { name: 'Look at the cluster' }).click();
    await expect(page).toHaveURL(`${own.url}/clusters/${id}`);

    await gate.open();
    await isLookedAt(page, `${own.url}/clusters/${id}`, 'online');
    await page.goto(`${own.url}/`);
    await expect(row).toHaveCount(0);
  } finally {
    await gate.shut();
  }
});

/** Asks for looks, as often as it takes, until the cluster's state is this. */
async function isLookedAt(page: Page, url: string, state: string): Promise<void> {
  await page.goto(url);
  await expect(async () => {
    await page.getByRole('button', { name: 'Look at it now' }).click();
    await expect(page.locator('.lede')).toContainText(state, { timeout: 100 });
  }).toPass({ timeout: 60_000, intervals: [1_000] });
}
