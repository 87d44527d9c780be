// A cluster comes into the registry by one guided form, with JavaScript and without: nothing is saved before it has been
// looked at, and what was typed as a secret never comes back.
import type { Page } from '@playwright/test';
import { audited, names, test } from './support/fleet.ts';
import { expect } from './support/page.ts';

const cluster = /\/clusters\/[0-9a-f-]{36}$/;

/** What was sent as a secret must stand nowhere on the page. */
async function expectNoWordOf(page: Page, secret: string): Promise<void> {
  expect((await page.content()).includes(secret), 'a secret is on the page').toBe(false);
}

test('of a kubeconfig with several contexts one is chosen, looked at, and then registered', async ({ page, own, practice }) => {
  const kubeconfig = practice.contexts(['prod-east', 'prod-west']);
  kubeconfig.users.push({ name: 'program', user: { exec: { apiVersion: 'v1', command: 'aws' } } });
  kubeconfig.contexts.push({ name: 'by-program', context: { cluster: 'prod-east', user: 'program' } });

  await page.goto(`${own.url}/clusters`);
  await page.locator('main').getByRole('link', { name: 'Register a cluster' }).first().click();
  await page.getByRole('textbox', { name: /^Kubeconfig/ }).fill(JSON.stringify(kubeconfig));
  await page.getByRole('textbox', { name: /^Name/ }).fill('west');
  await page.getByLabel('Type').selectOption('HUB');
  await page.getByRole('textbox', { name: /^Region/ }).fill('eu-west');
  await page.getByRole('button', { name: 'Look at it' }).click();

  await expect(page).toHaveURL(/\/clusters\/new\?draft=/);
  await expect(page.getByRole('radio', { name: /^prod-east/ })).toBeChecked();
  await expect(page.getByRole('radio', { name: /^by-program/ })).toBeDisabled();
  await expect(page.getByRole('listitem').filter({ hasText: 'by-program' })).toContainText('exec');
  await expectNoWordOf(page, practice.token);
  await page.getByRole('radio', { name: /^prod-west/ }).check();
  await page.getByRole('button', { name: 'Look at it' }).click();

  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Register west');
  const draft = page.url();
  const found = page.locator('.checks-of');
  await expect(found).toContainText('Answers as Kubernetes v1.');
  await expect(found).toContainText('Trusted; issued by');
  await expect(found).toContainText('Known there as system:serviceaccount:fleet-access:viewer.');
  await expect(found).toContainText(/It ends in \d+ days/);
  await expect(found).toContainText('May do too much');
  await expect(found).toContainText('Lacks');
  await page.getByText('The least that the console needs…').click();
  await expect(page.getByText('kind: ClusterRole', { exact: false }).first()).toBeVisible();
  await expectNoWordOf(page, practice.token);
  expect(await names(own), 'nothing is saved before it is decided').toEqual([]);

  await page.getByRole('button', { name: 'Register it' }).click();
  await expect(page).toHaveURL(cluster);
  await expect(page.locator('main')).toContainText('The cluster was registered');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('west');
  await expect(page.locator('main')).toContainText('eu-west');
  await expectNoWordOf(page, practice.token);
  expect(await names(own)).toEqual(['west']);
  expect((await audited(own)).some((row) => row.includes(practice.token))).toBe(false);

  expect((await page.goto(draft))?.status()).toBe(404);
  await expect(page.getByRole('alert')).toContainText('This registration is over');
});

test('what is refused keeps what was typed, and forgets what is secret', async ({ page, own, practice }) => {
  const secret = 'a-token-that-nobody-knows';
  await page.goto(`${own.url}/clusters/new`);
  await page.getByRole('link', { name: 'Address and token' }).click();
  await page.getByRole('textbox', { name: /^API server/ }).fill(practice.url);
  await page.getByLabel(/^Token(?! for)/).fill(secret);
  await page.getByRole('textbox', { name: /^Certificate authority/ }).fill(practice.ca);
  await page.getByRole('textbox', { name: /^Name/ }).fill('x');
  await page.getByRole('textbox', { name: /^Labels/ }).fill('team=payments');
  await page.getByLabel('Environment').selectOption('LAB');
  await page.getByRole('button', { name: 'Look at it' }).click();

  await expect(page.getByRole('alert')).toContainText('name must have 3 to 63 characters');
  await expect(page.getByRole('alert')).toContainText('What is secret has to be given again');
  await expect(page.getByRole('link', { name: 'Address and token' })).toHaveAttribute('aria-current', 'page');
  await expect(page.getByRole('textbox', { name: /^API server/ })).toHaveValue(practice.url);
  await expect(page.getByRole('textbox', { name: /^Labels/ })).toHaveValue('team=payments');
  await expect(page.getByLabel('Environment')).toHaveValue('LAB');
  await expect(page.getByLabel(/^Token(?! for)/)).toHaveValue('');
  await expectNoWordOf(page, secret);

  // One that the API server does not know: looked at, told, and not offered for registration.
  await page.getByLabel(/^Token(?! for)/).fill(secret);
  await page.getByRole('textbox', { name: /^Certificate authority/ }).fill(practice.ca);
  await page.getByRole('textbox', { name: /^Name/ }).fill('refused');
  await page.getByRole('button', { name: 'Look at it' }).click();
  await expect(page.getByRole('heading', { name: 'The API server does not take this credential' })).toBeVisible();
  await expect(page.locator('.checks-of')).toContainText('(401)');
  await expect(page.getByRole('button', { name: /^Register it/ })).toHaveCount(0);
  await expectNoWordOf(page, secret);
  await page.getByRole('button', { name: 'Begin again' }).click();
  await expect(page).toHaveURL(`${own.url}/clusters/new`);
  expect(await names(own)).toEqual([]);
});

test('a cluster without a way in waits for its outpost', async ({ page, own }) => {
  await page.goto(`${own.url}/clusters/new`);
  await page.getByRole('link', { name: 'No route' }).click();
  await page.getByRole('textbox', { name: /^Name/ }).fill('far-away');
  await page.getByRole('button', { name: 'Look at it' }).click();
  await expect(page.locator('main')).toContainText('There is nothing to look at yet');
  expect(await names(own)).toEqual([]);
  await page.getByRole('button', { name: 'Register it' }).click();
  await expect(page).toHaveURL(cluster);
  await expect(page.locator('main')).toContainText('unknown');
  await expect(page.locator('main')).toContainText('Install an outpost in the cluster');
  // Nothing is promised that cannot be looked into.
  await expect(page.getByRole('navigation', { name: 'Pages of this cluster' })).toHaveCount(0);
});

test('many contexts are taken over at once, and what was not is told', async ({ page, own, practice }) => {
  const kubeconfig = practice.contexts(['north', 'south', 'stranger']);
  kubeconfig.users[2] = { name: 'stranger', user: { token: 'nobody' } };
  await page.goto(`${own.url}/clusters/new`);
  await page.getByRole('textbox', { name: /^Kubeconfig/ }).fill(JSON.stringify(kubeconfig));
  await page.getByRole('button', { name: 'Look at it' }).click();
  await page.getByText('Take over several…').click();
  await expect(page.getByRole('checkbox', { name: 'stranger' })).toBeChecked();
  await page.getByRole('button', { name: 'Register them' }).click();
  await expect(page.locator('.evidence')).toContainText('Some were not registered');
  await expect(page.locator('.evidence')).toContainText('stranger');
  expect(await names(own)).toEqual(['north', 'south']);
  await page.getByRole('link', { name: 'To the clusters' }).click();
  await expect(page.locator('tbody tr')).toHaveCount(2);
  await expectNoWordOf(page, practice.token);
});
