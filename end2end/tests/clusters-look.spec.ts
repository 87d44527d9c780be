// Every page of the fleet in every sight (support/look.ts), with a real cluster behind it.
import type { Page } from '@playwright/test';
import { type Harbour, test } from './support/fleet.ts';
import { look, prepare, sights, widths } from './support/look.ts';
import { expect } from './support/page.ts';

/** How a page is come to. */
type Way = (page: Page, harbour: Harbour) => Promise<unknown>;

const at = (path: string): Way => (page, { console }) => page.goto(console.url + path);
const of = (list?: Parameters<Harbour['page']>[0], query = ''): Way => (page, harbour) => page.goto(harbour.page(list) + query);

/** The page with its forms unfolded. */
const unfolded: Way = async (page, harbour) => {
  await page.goto(harbour.page());
  for (const form of await page.locator('aside details.confirm > summary').all()) await form.click();
  await page.locator('.proof > summary').first().click();
};

/** A registration that was begun: what the form is sent with, and where it then is. */
const begun = (more: (harbour: Harbour) => Record<string, string>): Way => async (page, harbour) => {
  const { url } = harbour.console;
  const usual = { do: 'check', cluster_type: 'SPOKE', environment: 'LAB' };
  const form = { ...usual, ...more(harbour) };
  const answer = await page.request.post(`${url}/clusters/new`, { form, headers: { origin: url }, maxRedirects: 0 });
  expect(answer.status(), await answer.text()).toBe(303);
  await page.goto(url + answer.headers().location);
};

const pages: Record<string, Way> = {
  clusters: at('/clusters'),
  'clusters-grid': at('/clusters?view=grid'),
  'clusters-nothing': at('/clusters?name=nobody+has+this+name'),
  'cluster-new': at('/clusters/new'),
  'cluster-new-token': at('/clusters/new?by=token'),
  'cluster-new-certificate': at('/clusters/new?by=certificate'),
  'cluster-new-oidc': at('/clusters/new?by=oidc'),
  'cluster-choose': begun(({ practice }) => {
    const kubeconfig = practice.contexts(['prod-east', 'prod-west']);
    kubeconfig.users.push({ name: 'program', user: { exec: { apiVersion: 'v1', command: 'aws' } } });
    kubeconfig.contexts.push({ name: 'by-program', context: { cluster: 'prod-east', user: 'program' } });
    return { by: 'kubeconfig', kubeconfig: JSON.stringify(kubeconfig) };
  }),
  'cluster-checked': begun(({ practice }) => ({ by: 'kubeconfig', name: 'checked', kubeconfig: practice.kubeconfig() })),
  'cluster-too-much': begun(({ practice }) => ({ by: 'kubeconfig', name: 'much', kubeconfig: practice.kubeconfig('admin') })),
  'cluster-refused': begun(({ practice }) => {
    const opening = { by: 'token', token: 'nobody', certificate_authority: practice.ca, api_server_url: practice.url };
    return { name: 'refused', ...opening };
  }),
  'cluster-outpost': begun(() => ({ by: 'outpost', name: 'far-away' })),
  cluster: of(),
  'cluster-unfolded': unfolded,
  'cluster-nodes': of('nodes'),
  'cluster-pods': of('pods'),
  'cluster-pods-nothing': of('pods', '?q=nobody+has+this+name'),
  'cluster-pods-refused': of('pods', '?state=sleeping'),
  'cluster-workloads': of('workloads'),
  'cluster-events': of('events'),
  'cluster-missing': at('/clusters/00000000-0000-4000-8000-000000000000'),
};

for (const [name, way] of Object.entries(pages)) {
  test(name, async ({ page, harbour }, info) => {
    await harbour.console.enter(page.context());
    await page.setViewportSize(widths.wide);
    // Opened once: it follows the light and the width by its style alone.
    await way(page, harbour);
    // Without scripts the style is the same one: half of the sights will do.
    const scripted = info.project.name === 'scripted';
    for (const sight of sights(name).filter(({ colorScheme }) => scripted || colorScheme === 'light')) {
      await test.step(`${sight.colorScheme}, ${sight.width}`, async () => {
        await prepare(page, sight);
        await look(page, sight, info);
      });
    }
  });
}

// What people and programs put into a name: text that runs the other way, words without an end.
test('clusters with long names and what is said of them stay in their place', async ({ page, own, practice }) => {
  const about = { display_name: '\u05d1\u05d3\u05d9\u05e7\u05d4 <script>document.title = "taken over"</script>', region: 'x'.repeat(60) };
  const labels = Object.fromEntries(['a', 'b', 'c'].map((key) => [key.repeat(40), 'v'.repeat(60)]));
  const long = 'n'.repeat(63);
  const made = await page.request.post(`${own.url}/api/v1/clusters`, {
    headers: { origin: own.url },
    data: { name: long, api_server_url: practice.url, labels, ...about },
  });
  expect(made.status(), await made.text()).toBe(201);
  const { id } = await made.json();
  for (const viewport of Object.values(widths)) {
    await page.setViewportSize(viewport);
    for (const path of ['/clusters', '/clusters?view=grid', `/clusters/${id}`]) {
      await page.goto(own.url + path);
      await expect(page).toHaveTitle(/Quarterdeck$/);
      const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
      expect(overflow, `${path}, ${viewport.width}: pixels that stick out sideways`).toBeLessThanOrEqual(0);
    }
  }
});
