// What a cluster's pages show of a real one: what is not healthy and why, and its lists, whose address is their state.
import type { Page } from '@playwright/test';
import { test as base } from './support/fleet.ts';
import { expect } from './support/page.ts';

const test = base.extend<{ entered: void }>({
  entered: [
    async ({ page, harbour }, use) => {
      await harbour.console.enter(page.context());
      await use();
    },
    { auto: true },
  ],
});

const rows = '#rows tbody tr';

/** Loads the page again until it shows what the cluster has come to. */
async function comesTo(page: Page, url: string, shows: () => Promise<void>): Promise<void> {
  await expect(async () => {
    await page.goto(url);
    await shows();
  }).toPass({ timeout: 40_000, intervals: [500] });
}

/** The row's far end is as good as its name. */
async function pressAtTheEnd(page: Page): Promise<void> {
  const box = await page.locator(rows).first().boundingBox();
  if (!box) throw new Error('the row is not there');
  await page.mouse.click(box.x + box.width - 4, box.y + box.height / 2);
}

test('the fleet’s list leads to the cluster, as a table and by state', async ({ page, harbour }) => {
  const { url } = harbour.console;
  await comesTo(page, `${url}/clusters`, async () => {
    await expect(page.locator('#clusters tbody tr')).toContainText('online', { timeout: 1_000 });
  });
  const row = page.locator('#clusters tbody tr');
  await expect(row).toHaveCount(1);
  for (const said of ['Harbour', 'harbour', 'production', 'Kubernetes', 'v1.']) {
    await expect(row).toContainText(new RegExp(said, 'i'));
  }
  await page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: 'By state' }).click();
  await expect(page.locator('.tiles')).toContainText('1 online');
  await page.locator('.tiles a').click();
  await expect(page).toHaveURL(harbour.page());
  await page.goto(`${url}/clusters?state=OFFLINE`);
  await expect(page.locator('main')).toContainText('Nothing matches');
});

test('its page says what is not healthy and why, and what it was warned of', async ({ page, harbour }) => {
  const main = page.locator('main');
  const unhealthy = page.getByRole('table', { name: 'What is not healthy, the worst first' });
  const broken = unhealthy.getByRole('row', { name: /sandbox \/ prototype/ });
  await comesTo(page, harbour.page(), async () => {
    await expect(broken).toContainText(/image not (found|pulled|allowed)/, { timeout: 1_000 });
    await expect(page.getByRole('img', { name: /^Health of the last 7 days/ })).toBeVisible({ timeout: 1_000 });
  });
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Harbour');
  await expect(main).toContainText('online');
  await expect(main).toContainText(/\d+ of 100/);
  await broken.getByText('Evidence, and what to do').click();
  await expect(broken.locator('.proof')).toContainText('image');
  await expect(broken.locator('.proof')).toHaveAttribute('open');
  await expect(page).toHaveURL(harbour.page());
  const nodes = page.locator('section.card').filter({ has: page.getByRole('heading', { name: 'Nodes', exact: true }) });
  await expect(nodes).toContainText('6 of 6');
  await expect(nodes).toContainText('GPUs');
  const warnings = page.getByRole('table', { name: /^Recent warning events/ });
  await expect(warnings.locator('tbody tr').first()).toBeVisible();
  await expect(page.locator('section.card').filter({ hasText: 'Watches' })).toContainText('live');
  await expect(main).toContainText('system:serviceaccount:fleet-access:viewer');
  // A finding leads to its pods.
  await broken.getByRole('link').click();
  await expect(page).toHaveURL(/\/pods\?namespace=sandbox&workload=prototype$/);
  await expect(page.locator(rows)).toContainText('sandbox / prototype-');
});

test('pods are filtered by the address, opened by their row, and turned over', async ({ page, harbour }) => {
  await page.goto(harbour.page('pods'));
  await page.getByRole('searchbox', { name: 'Name' }).fill('checkout');
  await page.getByRole('button', { name: 'Filter' }).click();
  await expect(page).toHaveURL(`${harbour.page('pods')}?q=checkout`);
  await expect(page.locator(rows).first()).toContainText('payments / checkout-');
  for (const row of await page.locator(rows).all()) await expect(row).toContainText('checkout');
  await pressAtTheEnd(page);
  await expect(page).toHaveURL(/\/events\?namespace=payments&kind=Pod&object=checkout-/);
  await page.goBack();
  await expect(page.getByRole('searchbox', { name: 'Name' })).toHaveValue('checkout');

  await page.goto(`${harbour.page('pods')}?state=unhealthy&namespace=sandbox`);
  await expect(page.locator(rows)).toHaveCount(1);
  await expect(page.locator(rows)).toContainText('prototype');
  await page.goto(`${harbour.page('pods')}?q=nobody-has-this-name`);
  await expect(page.locator('main')).toContainText('Nothing matches');
  await page.locator('#rows').getByRole('link', { name: 'Clear filters' }).click();
  await expect(page.locator(rows).first()).toBeVisible();

  await page.goto(`${harbour.page('pods')}?page_size=5`);
  await expect(page.locator(rows)).toHaveCount(5);
  await expect(page.getByRole('navigation', { name: 'Pages', exact: true })).toContainText(/1–5 of \d+/);
  const first = await page.locator(rows).first().innerText();
  await page.getByRole('link', { name: 'Older' }).click();
  await expect(page).toHaveURL(/page_size=5&cursor=/);
  await expect(page.locator(rows)).toHaveCount(5);
  expect(await page.locator(rows).first().innerText()).not.toBe(first);
  await page.getByRole('link', { name: 'Newer' }).click();
  await expect(page.locator(rows).first()).toContainText(first.split('\n')[0].trim());

  expect((await page.goto(`${harbour.page('pods')}?state=sleeping`))?.status()).toBe(422);
  await expect(page.getByRole('alert')).toContainText('This list cannot be shown as asked');
});

test('nodes, workloads and events each lead on', async ({ page, harbour }) => {
  await page.goto(harbour.page());
  const tabs = page.getByRole('navigation', { name: 'Pages of this cluster' });
  await tabs.getByRole('link', { name: 'Nodes' }).click();
  await expect(page).toHaveURL(harbour.page('nodes'));
  await expect(page.locator(rows)).toHaveCount(6);
  await page.goto(`${harbour.page('nodes')}?gpu=yes`);
  await expect(page.locator(rows)).toHaveCount(2);
  await pressAtTheEnd(page);
  await expect(page).toHaveURL(/\/pods\?node=/);

  await tabs.getByRole('link', { name: 'Workloads' }).click();
  await expect(page).toHaveURL(harbour.page('workloads'));
  await page.goto(`${harbour.page('workloads')}?state=unhealthy`);
  await expect(page.locator(rows).filter({ hasText: 'sandbox / prototype' })).toContainText(/image not/);
  await page.goto(`${harbour.page('workloads')}?kind=StatefulSet&q=ledger`);
  await expect(page.locator(rows)).toHaveCount(1);
  await pressAtTheEnd(page);
  await expect(page).toHaveURL(/\/pods\?namespace=payments&workload=ledger-db$/);
  await expect(page.locator(rows)).toHaveCount(3);

  await tabs.getByRole('link', { name: 'Events' }).click();
  await page.goto(`${harbour.page('events')}?type=warning&namespace=sandbox`);
  await expect(page.locator(rows).first()).toContainText('sandbox / prototype');
  await page.goto(`${harbour.page('events')}?type=warning&reason=NobodySaidThis`);
  await expect(page.locator('main')).toContainText('Nothing matches');
});

test('a cluster that is not there is not found, nor are its lists', async ({ page, harbour }) => {
  for (const list of ['', '/pods', '/nodes', '/workloads', '/events']) {
    const path = `/clusters/00000000-0000-4000-8000-000000000000${list}`;
    expect((await page.goto(harbour.console.url + path))?.status(), path).toBe(404);
    await expect(page.locator('main')).toContainText('Cluster not found');
  }
});

test('everything is reached by the keyboard @scripted', async ({ page, harbour }) => {
  await page.goto(harbour.page('pods'));
  await expect(page.locator('.live')).toContainText('live');
  await page.keyboard.press('/');
  await expect(page.locator(':focus')).toHaveAttribute('name', 'q');
  await page.keyboard.type('checkout');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\?q=checkout$/);
  await expect(page.locator('.live')).toContainText('live');
  await page.keyboard.press('j');
  await expect(page.locator(':focus')).toHaveClass(/row/);
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/events\?namespace=payments/);

  await comesTo(page, harbour.page(), async () => {
    await expect(page.locator('.proof').first()).toBeVisible({ timeout: 1_000 });
  });
  expect(await tabsTo(page, (name) => name === 'Evidence, and what to do')).toBe(true);
  await page.keyboard.press('Enter');
  await expect(page.locator('.proof[open]')).toHaveCount(1);
  expect(await tabsTo(page, (name) => name === 'Remove the cluster…')).toBe(true);
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  await expect(page.locator(':focus')).toHaveAttribute('name', 'name');
});

/** Presses Tab until something of this name has the focus. */
async function tabsTo(page: Page, is: (name: string) => boolean): Promise<boolean> {
  for (let pressed = 0; pressed < 150; pressed += 1) {
    await page.keyboard.press('Tab');
    const text = await page.evaluate(() => (document.activeElement as HTMLElement | null)?.innerText ?? '');
    if (is(text.trim())) return true;
  }
  return false;
}

test.describe('live @scripted', () => {
  test('a bad release shows on the open pages, and its end does', async ({ page, harbour, context }) => {
    test.setTimeout(150_000);
    const slow = { timeout: 60_000 };
    const pods = await context.newPage();
    for (const [one, url] of [
      [page, harbour.page()],
      [pods, `${harbour.page('pods')}?namespace=payments&workload=checkout`],
    ] as const) {
      await one.goto(url);
      await expect(one.locator('.live')).toContainText('live');
      await one.evaluate(() => Object.assign(window, { stayed: true }));
      await one.mouse.move(0, 0);
    }
    const broken = page.locator('#goes-on').getByRole('row', { name: /payments \/ checkout/ }).first();
    await harbour.practice.scene('crash-loop');
    try {
      await expect(broken).toContainText('crash loop', slow);
      await expect(pods.locator(rows).filter({ hasText: 'CrashLoopBackOff' }).first()).toBeVisible(slow);
    } finally {
      await harbour.practice.scene('crash-loop', true);
    }
    await expect(pods.locator(rows).filter({ hasText: 'CrashLoopBackOff' })).toHaveCount(0, slow);
    await expect(page.locator('#goes-on tbody').first()).not.toContainText('crash loop', slow);
    for (const one of [page, pods]) {
      expect(await one.evaluate('window.stayed'), 'the page was not loaded again').toBe(true);
    }
  });
});

test.describe('who may only look', () => {
  test('sees everything and is offered nothing', async ({ page, harbour }) => {
    await harbour.console.enter(page.context(), 'auditor');
    await page.goto(`${harbour.console.url}/clusters`);
    await expect(page.locator('#clusters tbody tr')).toContainText('Harbour');
    await expect(page.getByRole('link', { name: 'Register a cluster' })).toHaveCount(0);
    await expect(page.locator('main')).toContainText('fleet.manage');
    expect((await page.goto(`${harbour.console.url}/clusters/new`))?.status()).toBe(403);
    await page.goto(harbour.page());
    await expect(page.locator('main')).toContainText('system:serviceaccount:fleet-access:viewer');
    await expect(page.locator('main')).toContainText('Changing clusters needs the capability fleet.manage');
    await expect(page.locator('main form')).toHaveCount(0);
    for (const list of ['nodes', 'pods', 'workloads', 'events'] as const) {
      expect((await page.goto(harbour.page(list)))?.status()).toBe(200);
      await expect(page.locator(rows).first()).toBeVisible();
      await expect(page.locator('main form[method=post]')).toHaveCount(0);
    }
  });

  test('is refused what was forged, and that is audited', async ({ page, harbour }) => {
    await harbour.console.enter(page.context(), 'auditor');
    const { url } = harbour.console;
    const forge = (to: string, form: Record<string, string>) =>
      page.request.post(to, { form, headers: { origin: url }, maxRedirects: 0 });
    const forms: Record<string, string>[] = [
      { do: 'remove', name: 'harbour' },
      { do: 'forget' },
      { do: 'rotate', token: 'x' },
      { do: 'validate' },
      { do: 'refresh' },
      { do: 'edit', external_id: 'harbour' },
    ];
    for (const form of forms) expect((await forge(harbour.page(), form)).status(), form.do).toBe(403);
    expect((await forge(`${url}/clusters/new`, { do: 'check', by: 'outpost', name: 'mine' })).status()).toBe(403);
    await harbour.console.enter(page.context(), 'admin');
    await page.goto(harbour.page());
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Harbour');
    await page.goto(`${url}/audit?decision=denied&capability=fleet.manage`);
    await expect(page.locator('tbody tr').first()).toContainText(/auditor/i);
    expect(await page.locator('tbody tr').count()).toBeGreaterThanOrEqual(forms.length + 1);
  });
});
