// axe-core on a page as it stands. Evaluated by the driver, so the page's own CSP stays as strict as it is.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Page, expect } from '@playwright/test';

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

type Finding = { id: string; help: string; nodes: { target: string[]; failureSummary: string }[] };

export async function expectNoAxeFindings(page: Page): Promise<void> {
  await page.evaluate(source);
  const findings = (await page.evaluate(
    'axe.run(document, { resultTypes: ["violations"] }).then((r) => r.violations)',
  )) as Finding[];
  const told = findings.map((f) => `${f.id}: ${f.help}\n  ${f.nodes.map((n) => `${n.target} ${n.failureSummary}`).join('\n  ')}`);
  expect(told, 'axe findings').toEqual([]);
}
