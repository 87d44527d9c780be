// One page in light and dark, wide and narrow: nothing sticks out sideways, axe finds nothing, and a picture is kept
// beside the run (results/screens), for people to look at.
import type { Page, TestInfo } from '@playwright/test';
import { expectNoAxeFindings } from './axe.ts';
import { expect } from './page.ts';

export const schemes = ['light', 'dark'] as const;
export const widths = { wide: { width: 1280, height: 800 }, narrow: { width: 390, height: 844 } };

export interface Sight {
  name: string;
  colorScheme: (typeof schemes)[number];
  width: keyof typeof widths;
}

/** Every way in which a page is looked at. */
export function sights(name: string): Sight[] {
  return schemes.flatMap((colorScheme) =>
    (Object.keys(widths) as Sight['width'][]).map((width) => ({ name, colorScheme, width })),
  );
}

/** Before the page is opened. */
export async function prepare(page: Page, { colorScheme, width }: Sight): Promise<void> {
  await page.setViewportSize(widths[width]);
  await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
}

/** Once it is open. */
export async function look(page: Page, { name, colorScheme, width }: Sight, info: TestInfo): Promise<void> {
  await expect(page.locator('main h1')).toBeVisible();
  const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
  expect(overflow, 'pixels that stick out sideways').toBeLessThanOrEqual(0);
  await page.screenshot({
    path: `results/screens/${info.project.name}/${name}-${colorScheme}-${width}.png`,
    fullPage: true,
  });
  if (info.project.name === 'scripted') await expectNoAxeFindings(page);
}
