// How soon the first row of a list of 10 000 pods is painted, and what it takes to get there: for a browser that was never
// here, where the console has just started and has no watch (started) and where it has one (cold), and for a browser that
// was here before (warm). It asserts that the list is what it should be, and no time: a number is for people to judge.
import { type Browser, type BrowserContext, type Page, expect, test } from '@playwright/test';
import { Console, until } from '../support/console.ts';
import { Practice, missing, register } from '../support/fleet.ts';

const PODS = 10_000;
const STARTS = 10;
const VISITS = 20;

/** One look at the list. */
interface Visit {
  /** Milliseconds from the click. */
  firstByte: number;
  firstRow: number;
  /** Bytes over the wire: until the row was there, and until nothing more came. */
  untilRow: number;
  inAll: number;
}

test('the first row of 10 000 pods', async ({ browser }) => {
  test.skip(missing !== '', missing);
  const practice = await Practice.ready();
  await many(practice);
  const own = await Console.start('--log-level=error');
  try {
    const credentials = { auth_type: 'KUBECONFIG', kubeconfig: practice.kubeconfig() };
    const id = await register(own, { name: 'crowded', api_server_url: practice.url, credentials });
    const url = `${own.url}/clusters/${id}/pods`;
    const [started, cold, warm]: Visit[][] = [[], [], []];
    for (let round = 0; round < STARTS; round += 1) {
      await own.restart();
      started.push(await asStranger(browser, own, async (context) => (await tab(context))(url)));
    }
    for (let round = 0; round < VISITS; round += 1) {
      cold.push(await asStranger(browser, own, async (context) => (await tab(context))(url)));
    }
    await asStranger(browser, own, async (context) => {
      const visit = await tab(context);
      // From the page beside it, as a person comes.
      for (let round = 0; round <= VISITS; round += 1) {
        await visit(`${own.url}/clusters/${id}/nodes`);
        warm.push(await visit(url));
      }
      // The first time it was not there before.
      warm.shift();
    });
    await expectAll(browser, own, url);
    console.log(`\n${PODS} pods of one cluster, ${process.env.QUARTERDECK_BIN}`);
    console.log(line(['', 'first byte', 'first row', 'slowest', 'bytes to the row', 'bytes in all']));
    for (const [name, visits] of Object.entries({ started, cold, warm })) console.log(line([name, ...figures(visits)]));
  } finally {
    await own.stop();
  }
});

/** Fills the cluster with pods that run and stay. */
async function many(practice: Practice): Promise<void> {
  await practice.scene('churn', false, ['--pods', String(PODS), '--rate', '0']);
  const path = '/api/v1/namespaces/churn/pods?limit=1';
  const run = async (): Promise<boolean> => {
    const all = await practice.ask<List>('GET', path);
    if (all.items.length + (all.metadata.remainingItemCount ?? 0) < PODS) return false;
    const others = await practice.ask<List>('GET', `${path}&fieldSelector=status.phase%21%3DRunning`);
    return others.items.length === 0;
  };
  await until(`${PODS} pods run`, run, 900);
}

interface List {
  items: object[];
  metadata: { remainingItemCount?: number };
}

async function asStranger<T>(browser: Browser, own: Console, look: (context: BrowserContext) => Promise<T>): Promise<T> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  try {
    await own.enter(context);
    return await look(context);
  } finally {
    await context.close();
  }
}

/** A tab in which pages are visited one after the other. */
async function tab(context: BrowserContext): Promise<(url: string) => Promise<Visit>> {
  const page = await context.newPage();
  const wire = await context.newCDPSession(page);
  await wire.send('Network.enable');
  let inAll = 0;
  wire.on('Network.loadingFinished', ({ encodedDataLength }) => (inAll += encodedDataLength));
  await page.addInitScript(() => {
    const firstRow = new Promise<number>((resolve) => {
      const seen = new MutationObserver(() => {
        if (!document.querySelector('#rows tbody tr')) return;
        seen.disconnect();
        // Behind the frame that paints it.
        requestAnimationFrame(() => setTimeout(() => resolve(performance.now())));
      });
      seen.observe(document, { childList: true, subtree: true });
    });
    Object.assign(window, { firstRow });
  });
  return async (url) => {
    inAll = 0;
    await page.goto(url);
    // All has come when the island that needs the most of it says so.
    await page.locator('.live').getByText('live').waitFor();
    return { ...(await told(page)), inAll };
  };
}

function told(page: Page): Promise<Omit<Visit, 'inAll'>> {
  return page.evaluate(async () => {
    const firstRow = await (window as unknown as { firstRow: Promise<number> }).firstRow;
    const [document] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
    const others = performance.getEntriesByType('resource') as PerformanceResourceTiming[];
    const before = [document, ...others].filter((one) => one.responseEnd > 0 && one.responseEnd <= firstRow);
    const untilRow = before.reduce((sum, one) => sum + one.transferSize, 0);
    return { firstByte: document.responseStart, firstRow, untilRow };
  });
}

/** It was the list of them all. */
async function expectAll(browser: Browser, own: Console, url: string): Promise<void> {
  await asStranger(browser, own, async (context) => {
    const page = await context.newPage();
    await page.goto(`${url}?namespace=churn`);
    await expect(page.locator('.lede')).toContainText('10,000');
    await expect(page.locator('#rows tbody tr')).toHaveCount(20);
  });
}

function figures(visits: Visit[]): string[] {
  const middle = (of: (visit: Visit) => number) => {
    const sorted = visits.map(of).sort((one, other) => one - other);
    return sorted[Math.floor(sorted.length / 2)];
  };
  const slowest = Math.max(...visits.map((visit) => visit.firstRow));
  const ms = (value: number) => `${value.toFixed(0)} ms`;
  const kb = (value: number) => `${(value / 1000).toFixed(1)} kB`;
  return [
    ms(middle((visit) => visit.firstByte)),
    ms(middle((visit) => visit.firstRow)),
    ms(slowest),
    kb(middle((visit) => visit.untilRow)),
    kb(middle((visit) => visit.inAll)),
  ];
}

function line(cells: string[]): string {
  return cells.map((cell, at) => (at === 0 ? cell.padEnd(8) : cell.padStart(18))).join('');
}
