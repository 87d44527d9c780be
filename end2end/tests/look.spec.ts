// Every page in every sight (support/look.ts). Those of clusters have a file of their own, since they need one.
import { Console } from './support/console.ts';
import { look, prepare, sights, widths } from './support/look.ts';
import { expect, routes, test } from './support/page.ts';

const pages: Record<string, string> = {
  home: routes.home,
  runs: routes.runs,
  'runs-filtered': `${routes.runs}?status=completed&outcome=succeeded&workspace_id=1`,
  'runs-nothing': `${routes.runs}?q=nobody+ever+wrote+this`,
  'runs-refused': `${routes.runs}?status=sleeping`,
  failures: '/system/ops/failures',
  causes: '/system/ops/failures?group=cause',
  stuck: '/system/ops/stuck',
  run: routes.run(1),
  runbooks: routes.runbooks,
  runbook: `${routes.runbooks}/system.self_check`,
  'runbook-missing': `${routes.runbooks}/no.such`,
  tasks: routes.tasks,
  account: routes.account,
  'own-keys': '/account/keys',
  people: '/settings/people',
  grants: '/settings/grants',
  keys: '/settings/keys',
  workspaces: '/settings/workspaces',
  audit: '/audit',
  'audit-entry': '/audit/1',
  'not-found': '/no/such/page',
};
/** What somebody sees who has not signed in, or lacks a capability. */
const strangers: Record<string, string> = {
  'sign-in': `${routes.signIn}?to=${encodeURIComponent(routes.tasks)}`,
  'welcome-spent': '/welcome?link=no-such-link',
};

for (const [name, path] of [...Object.entries(pages), ...Object.entries(strangers)]) {
  for (const sight of sights(name)) {
    test(`${name}, ${sight.colorScheme}, ${sight.width}`, async ({ page, url }, info) => {
      if (name in strangers) await page.context().clearCookies();
      await prepare(page, sight);
      await page.goto(url + path);
      await look(page, sight, info);
    });
  }
}

// What people and programs put into a name: markup, text that runs the other way, words without an end.
const hostile = [
  'cluster:<script>document.title = "taken over"</script><img src=x onerror="document.title = 1">',
  'cluster:\u202e\u05d1\u05d3\u05d9\u05e7\u05d4 \u0645\u0631\u062d\u0628\u0627 backwards',
  `cluster:${'x'.repeat(190)}`,
];

test('what is hostile or long stays text, and stays in its place', async ({ page }, info) => {
  const own = await Console.start();
  try {
    await own.enter(page.context());
    const ids: number[] = [];
    for (const target of hostile) ids.push(await own.selfCheck(target));
    for (const [width, viewport] of Object.entries(widths)) {
      await page.setViewportSize(viewport);
      for (const path of [routes.runs, ...ids.map(routes.run)]) {
        await page.goto(own.url + path);
        await expect(page).toHaveTitle(/Quarterdeck$/);
        const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
        expect(overflow, `${path}, ${width}: pixels that stick out sideways`).toBeLessThanOrEqual(0);
      }
      await page.goto(own.url + routes.runs);
      for (const target of hostile) await expect(page.getByText(target, { exact: true })).toBeVisible();
      await page.screenshot({ path: `results/screens/${info.project.name}/hostile-${width}.png`, fullPage: true });
    }
  } finally {
    await own.stop();
  }
});

test('people and places with hostile or long names stay in their place', async ({ page }) => {
  const own = await Console.start();
  try {
    await own.enter(page.context());
    const headers = { 'content-type': 'application/json', 'x-api-key': own.key('admin') };
    const make = async (path: string, body: object): Promise<string> => {
      const answer = await fetch(own.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
      expect(answer.status, await answer.clone().text()).toBe(201);
      return JSON.stringify(await answer.json());
    };
    const names = ['<script>document.title = "taken over"</script>', '\u05d1\u05d3\u05d9\u05e7\u05d4 \u0645\u0631\u062d\u0628\u0627', 'x'.repeat(80)];
    for (const [n, name] of names.entries()) {
      await make('/api/v1/people', { login: `${'y'.repeat(90)}${n}`, display_name: name });
      await make('/api/v1/workspaces', { name });
    }
    const people = await fetch(`${own.url}/api/v1/people`, { headers });
    const { items } = (await people.json()) as { items: { id: string }[] };
    const each = items.map(({ id }) => `/settings/people/${id}`);
    for (const viewport of Object.values(widths)) {
      await page.setViewportSize(viewport);
      for (const path of ['/settings/people', '/settings/workspaces', '/audit', ...each]) {
        await page.goto(own.url + path);
        await expect(page).toHaveTitle(/Quarterdeck$/);
        const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
        expect(overflow, `${path}, ${viewport.width}: pixels that stick out sideways`).toBeLessThanOrEqual(0);
      }
    }
  } finally {
    await own.stop();
  }
});
