// Owns finding the npm packages: beside this program, or in the folder that IDP_PACKAGES names (`cargo xtask`
// installs them into its cache, by the hash of the lock file). Must not install anything.

import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const own = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const folder = process.env.IDP_PACKAGES || own;
const { resolve } = createRequire(path.join(folder, 'package.json'));

async function load(name) {
  let found;
  try {
    found = resolve(name);
  } catch {
    process.stderr.write(`${folder} has no ${name}: run \`cargo xtask setup\`, or \`npm ci\` in end2end/idp\n`);
    process.exit(3);
  }
  return import(pathToFileURL(found));
}

// It is for tests, and its advice for production would fill their output.
for (const level of ['info', 'warn']) {
  const say = console[level].bind(console);
  console[level] = (first, ...rest) => String(first).includes('oidc-provider ') || say(first, ...rest);
}

export const jose = await load('jose');
export const { Provider } = await load('oidc-provider');
