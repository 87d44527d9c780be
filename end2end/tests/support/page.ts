// What every test of a page wants to know besides its subject: that nothing went wrong in passing.
import { type Page, expect, test as base } from '@playwright/test';
import { type Role, openPages } from './console.ts';

export function consoleUrl(): string {
  const url = process.env.CONSOLE_URL;
  if (!url) throw new Error('CONSOLE_URL is not set: support/setup.ts sets it');
  return url;
}

/** Errors that the page's own code or its CSP caused. A 4xx that a test asks for is not one of them. */
function troubles(page: Page): string[] {
  const found: string[] = [];
  page.on('pageerror', (error) => found.push(`page error: ${error.message}`));
  page.on('console', (message) => {
    const expected = message.text().startsWith('Failed to load resource');
    if (message.type() === 'error' && !expected) found.push(`console: ${message.text()}`);
  });
  page.on('request', (request) => {
    const url = new URL(request.url());
    const own = url.hostname === '127.0.0.1' || url.protocol === 'data:';
    if (!own) found.push(`request to another host: ${request.url()}`);
  });
  return found;
}

/** `page` fails its test when it logged an error, broke its CSP, or asked another host for anything. */
export const test = base.extend<{ url: string; as: Role | null }>({
  url: async ({}, use) => use(consoleUrl()),
  /** Who looks; null for somebody who has not signed in. */
  as: ['admin', { option: true }],
  page: async ({ page, as, url }, use) => {
    if (as) {
      const sessions = JSON.parse(process.env.CONSOLE_SESSIONS ?? '{}') as Record<Role, string>;
      await page.context().addCookies([{ name: 'qd_session', value: sessions[as], url }]);
    }
    const found = troubles(page);
    openPages.add(page);
    await use(page);
    openPages.delete(page);
    expect(found, 'troubles of the page').toEqual([]);
  },
});

export { expect };

export const routes = {
  home: '/',
  runs: '/system/ops/runs',
  runbooks: '/system/ops/runbooks',
  tasks: '/settings/tasks',
  signIn: '/sign-in',
  account: '/account',
  run: (id: number) => `/system/ops/runs/${id}`,
};
