// Triage where it lives: in the header of the detail page, with JavaScript and without.
import { expect, routes, test } from './support/page.ts';

const api = '/api/v1/operations';
const json = { 'content-type': 'application/json' };

/** A run far in the future: it waits in the queue for as long as a test needs it. */
async function waiting(request: import('@playwright/test').APIRequestContext, url: string): Promise<number> {
  const later = new Date(Date.now() + 86_400_000).toISOString();
  const data = { type: 'system.self_check', scheduled_at: later };
  const answer = await request.post(url + api, { headers: { ...json, origin: url }, data });
  expect(answer.status()).toBe(201);
  return (await answer.json()).id;
}

test('a queued operation is cancelled, marked and tried again from its header', async ({ page, url }) => {
  const id = await waiting(page.request, url);
  await page.goto(url + routes.run(id));
  const header = page.locator('#triage');
  await header.getByText('Cancel…').click();
  await expect(header).toContainText('will never begin');
  await header.getByRole('button', { name: 'Cancel this operation' }).click();
  await expect(page.locator('main')).toContainText('The operation was cancelled.');
  await expect(page.locator('main')).toContainText(/Cancelled by /);

  await page.locator('#triage').getByText('Mark investigated…').click();
  const reason = page.getByLabel('What was found');
  await reason.fill('was asked for by mistake');
  await page.getByRole('button', { name: 'Mark investigated', exact: true }).click();
  await expect(page.locator('main')).toContainText('Marked as investigated.');

  await page.locator('#triage').getByText('Retry…').click();
  await page.getByRole('button', { name: 'Queue a retry' }).click();
  await expect(page).not.toHaveURL(url + routes.run(id));
  await expect(page).toHaveURL(/\/system\/ops\/runs\/\d+$/);
  await expect(page.locator('main')).toContainText('Started');

  // Back at the first: it has been tried again, and says so instead of offering it.
  await page.goto(url + routes.run(id));
  await expect(page.locator('#triage').getByText('Retry…')).toHaveCount(0);
  await expect(page.locator('#triage')).toContainText(/the newest is Operation #\d+/);
});

test('a refused reason keeps its words', async ({ page, url }) => {
  const id = await waiting(page.request, url);
  await page.goto(url + routes.run(id));
  await page.locator('#triage').getByText('Mark investigated…').click();
  const reason = page.getByLabel('What was found');
  // Spaces count for the browser, not for us.
  await reason.fill('  abc  ');
  await page.getByRole('button', { name: 'Mark investigated', exact: true }).click();
  await expect(page.getByRole('alert')).toContainText('5 to 500 characters');
  await expect(page.getByLabel('What was found')).toHaveValue('  abc  ');
  await expect(page.getByLabel('What was found')).toBeVisible();
});

test('a decision about an operation that ended meanwhile does nothing and says so', async ({ page, url }) => {
  const id = await waiting(page.request, url);
  await page.goto(url + routes.run(id));
  await page.locator('#triage').getByText('Cancel…').click();
  const other = await page.request.post(`${url}${api}/${id}/cancel`, { headers: { ...json, origin: url }, data: {} });
  expect(other.status()).toBe(200);
  await page.getByRole('button', { name: 'Cancel this operation' }).click();
  await expect(page.locator('#triage').getByRole('alert')).toContainText('It has ended in the meantime');
});

test.describe('who may only look', () => {
  test.use({ as: 'auditor' });

  test('sees no triage, and one line that says what it takes', async ({ page, url }) => {
    await page.goto(url + routes.runs);
    await page.locator('section#runs tbody tr').first().getByRole('link').click();
    await expect(page.locator('#triage')).toContainText('platform.operations.manage');
    await expect(page.locator('#triage').locator('form, summary')).toHaveCount(0);
  });
});
