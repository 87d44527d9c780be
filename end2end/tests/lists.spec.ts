// Failures, stuck operations, filters of several values and saved views, with JavaScript and without.
import { Console, until } from './support/console.ts';
import { expect, routes, test as base } from './support/page.ts';

/** A console whose self-checks fail for one reason: an upstream that nobody serves. */
const test = base.extend<object, { failing: Console }>({
  failing: [
    async ({}, use) => {
      const own = await Console.start('--upstreams=gone=http://127.0.0.1:9');
      await own.selfCheck();
      await own.selfCheck();
      await use(own);
      await own.stop();
    },
    { scope: 'worker' },
  ],
});

const failures = '/system/ops/failures';
const stuck = '/system/ops/stuck';
const rows = (list: string) => `section#${list} tbody tr`;

test('failures are listed, and lead back to all operations', async ({ page, failing }) => {
  await failing.enter(page.context());
  await page.goto(failing.url + failures);
  await expect(page).toHaveTitle(/Failed operations/);
  await expect(page.locator('main .actions').first().getByRole('link')).toHaveText(['Show all operations']);
  await expect(page.locator(rows('failures')).first()).toContainText('failed');
  for (const row of await page.locator(rows('failures')).all()) {
    expect(await row.getByRole('link').count()).toBe(1);
    expect(await row.locator('button, input').count()).toBe(0);
  }
  const cell = await page.locator(rows('failures')).first().locator('td').last().boundingBox();
  if (!cell) throw new Error('the row is drawn');
  await page.mouse.click(cell.x + cell.width / 2, cell.y + cell.height / 2);
  await expect(page).toHaveURL(/\/system\/ops\/runs\/\d+$/);
});

test('failures of one cause are one line that leads to them', async ({ page, failing }) => {
  await failing.enter(page.context());
  await page.goto(failing.url + failures);
  await page.getByRole('link', { name: 'By cause' }).click();
  await expect(page).toHaveURL(/group=cause/);
  await expect(page.locator(rows('causes'))).toHaveCount(1);
  await page.locator(rows('causes')).first().locator('a.row').click();
  await expect(page).toHaveURL(/failures\?fingerprint=/);
  expect(await page.locator(rows('failures')).count()).toBeGreaterThan(1);
});

test('nothing is stuck, and the page says so and leads on', async ({ page, failing }) => {
  await failing.enter(page.context());
  await page.goto(failing.url + stuck);
  await expect(page.getByRole('heading', { name: 'No stuck operations' })).toBeVisible();
  await page.locator('section#stuck').getByRole('link', { name: 'Show all operations' }).click();
  await expect(page).toHaveURL(failing.url + routes.runs);
});

test('the three lists are tabs, each with its figure', async ({ page, failing }) => {
  await failing.enter(page.context());
  await page.goto(`${failing.url}${routes.runs}?type=system.self_check`);
  const tabs = page.getByRole('navigation', { name: 'Lists of operations' });
  await expect(tabs.getByRole('link')).toHaveText([/^All \d+$/, /^Failures \d+$/, /^Stuck 0$/]);
  await tabs.getByRole('link', { name: /Failures/ }).click();
  await expect(page).toHaveURL(`${failing.url}${failures}?type=system.self_check`);
});

test('a filter takes several values, all of them in the address', async ({ page, failing }) => {
  await failing.enter(page.context());
  await page.goto(failing.url + routes.runs);
  await page.getByText('Any status', { exact: true }).click();
  await page.getByLabel('queued', { exact: true }).check();
  await page.getByLabel('completed', { exact: true }).check();
  await page.getByRole('button', { name: 'Filter', exact: true }).click();
  await expect(page).toHaveURL(`${failing.url}${routes.runs}?status=queued&status=completed`);
  await expect(page.getByText('Status: 2 chosen', { exact: true })).toBeVisible();
  await page.getByRole('link', { name: 'Remove filter Status queued' }).click();
  await expect(page).toHaveURL(`${failing.url}${routes.runs}?status=completed`);
});

test('a view is saved, opened, renamed and deleted', async ({ page, failing }, { project }) => {
  await failing.enter(page.context());
  const name = `Ended in ${project.name}`;
  await page.goto(`${failing.url}${routes.runs}?status=completed`);
  await page.getByText(/^Saved views/).click();
  await page.getByText('Save this view…').click();
  await page.getByLabel('Name', { exact: true }).last().fill(name);
  await page.getByLabel('Who sees it').selectOption('shared');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page).toHaveURL(`${failing.url}${routes.runs}?status=completed`);
  await expect(page.getByText('The view was saved.')).toBeVisible();

  await page.goto(failing.url + routes.runs);
  await page.getByText(/^Saved views/).click();
  await page.getByRole('link', { name, exact: true }).click();
  await expect(page).toHaveURL(`${failing.url}${routes.runs}?status=completed`);

  await page.getByText(/^Saved views/).click();
  const view = page.getByRole('listitem').filter({ has: page.getByRole('link', { name, exact: true }) });
  await view.getByText('Rename…').click();
  await view.getByLabel('Name').fill(' ');
  await view.getByRole('button', { name: 'Rename', exact: true }).click();
  await expect(page.getByRole('alert')).toContainText('name');
  await page.getByRole('button', { name: 'Rename', exact: true }).scrollIntoViewIfNeeded();
  const open = page.getByRole('listitem').filter({ has: page.getByRole('alert') });
  await open.getByLabel('Name').fill(`${name}, again`);
  await open.getByRole('button', { name: 'Rename', exact: true }).click();
  await expect(page.getByText('The view was renamed.')).toBeVisible();

  await page.getByText(/^Saved views/).click();
  const renamed = page.getByRole('link', { name: `${name}, again`, exact: true });
  const gone = page.getByRole('listitem').filter({ has: renamed });
  await gone.getByText('Delete…').click();
  await gone.getByRole('button', { name: 'Delete', exact: true }).click();
  await expect(page.getByText('The view was deleted.')).toBeVisible();
});

test('an auditor keeps views for themselves', async ({ page, failing }) => {
  await failing.enter(page.context(), 'auditor');
  await page.goto(failing.url + failures);
  await page.getByText(/^Saved views/).click();
  await page.getByText('Save this view…').click();
  await expect(page.getByLabel('Who sees it')).toHaveCount(0);
  await expect(page.locator('.views')).toContainText('platform.operations.manage');
  const forged = await page.request.post(failing.url + failures, {
    form: { do: 'save_view', name: 'Forged', shared: 'shared', workspace_id: '1', query: '' },
    headers: { origin: failing.url },
  });
  expect(forged.status()).toBe(403);
});

test('the lists fit a narrow screen', async ({ page, failing }) => {
  await failing.enter(page.context());
  await page.setViewportSize({ width: 390, height: 800 });
  for (const path of [routes.runs, failures, stuck, `${failures}?group=cause`]) {
    await page.goto(failing.url + path);
    for (const fold of await page.locator('main details > summary').all()) {
      if (await fold.isVisible()) await fold.click();
    }
    const wide = await page.evaluate('document.documentElement.scrollWidth');
    expect(wide, path).toBeLessThanOrEqual(390);
  }
});

test('the keyboard walks and opens the rows', async ({ page, failing, javaScriptEnabled }) => {
  test.skip(javaScriptEnabled === false, 'keys are a comfort of the script');
  await failing.enter(page.context());
  await page.goto(failing.url + failures);
  await until('the page is awake', async () => {
    await page.keyboard.press('j');
    return page.evaluate("document.activeElement?.classList.contains('row') ?? false");
  });
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/system\/ops\/runs\/\d+$/);
});
