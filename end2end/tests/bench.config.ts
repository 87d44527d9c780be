// What is measured in a browser: `cargo xtask bench fleet`. One after the other, so that nothing shares the processors.
import { defineConfig } from '@playwright/test';
import usual from './playwright.config.ts';

export default defineConfig({
  ...usual,
  testDir: 'bench',
  testMatch: '*.bench.ts',
  outputDir: 'results/bench',
  globalSetup: './bench/setup.ts',
  workers: 1,
  timeout: 20 * 60_000,
  reporter: [['line']],
  use: { ...usual.use, trace: 'off' },
  projects: [{ name: 'bench' }],
});
