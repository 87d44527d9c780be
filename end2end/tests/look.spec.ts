// Every page in light and dark, wide and narrow: axe finds nothing, nothing sticks out sideways, and a picture
// is kept beside the run (results/screens), for people to look at.
import { expectNoAxeFindings } from './support/axe.ts';
import { expect, routes, test } from './support/page.ts';

const pages: Record<string, string> = {
  runs: routes.runs,
  'runs-filtered': `${routes.runs}?status=completed&outcome=succeeded&workspace_id=1`,
  'runs-nothing': `${routes.runs}?q=nobody+ever+wrote+this`,
  'runs-refused': `${routes.runs}?status=sleeping`,
  run: routes.run(1),
  runbooks: routes.runbooks,
  tasks: routes.tasks,
  'not-found': '/no/such/page',
};
const widths = { wide: { width: 1280, height: 800 }, narrow: { width: 390, height: 844 } };

for (const [name, path] of Object.entries(pages)) {
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const [width, viewport] of Object.entries(widths)) {
      test(`${name}, ${colorScheme}, ${width}`, async ({ page, url }, info) => {
        await page.setViewportSize(viewport);
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        await page.goto(url + path);
        await expect(page.locator('main h1')).toBeVisible();
        const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
        expect(overflow, 'pixels that stick out sideways').toBeLessThanOrEqual(0);
        await page.screenshot({
          path: `results/screens/${info.project.name}/${name}-${colorScheme}-${width}.png`,
          fullPage: true,
        });
        if (info.project.name === 'scripted') await expectNoAxeFindings(page);
      });
    }
  }
}
