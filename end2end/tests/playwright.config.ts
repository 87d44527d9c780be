// Two readings of the same pages: `plain` without JavaScript, `scripted` with it.
// The console under test is the real binary (QUARTERDECK_BIN), started once by `support/setup.ts`.
import { defineConfig } from '@playwright/test';

const chromium = {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
};

export default defineConfig({
  testDir: '.',
  outputDir: 'results/failed',
  globalSetup: './support/setup.ts',
  fullyParallel: false,
  workers: 2,
  forbidOnly: !!process.env.CI,
  retries: 0,
  timeout: 45_000,
  expect: { timeout: 15_000 },
  reporter: [['list']],
  use: { browserName: 'chromium', launchOptions: chromium, trace: 'retain-on-failure' },
  projects: [
    { name: 'plain', use: { javaScriptEnabled: false }, grepInvert: /@scripted/ },
    { name: 'scripted', use: { javaScriptEnabled: true }, grepInvert: /@plain/ },
  ],
});
