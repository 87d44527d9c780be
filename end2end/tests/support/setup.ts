// Runs once for all files: a console with some real operations in it, found by the tests in CONSOLE_URL.
import { Console } from './console.ts';

export default async function setup(): Promise<() => Promise<void>> {
  const started = await Console.start();
  for (let run = 0; run < 3; run += 1) await started.selfCheck();
  process.env.CONSOLE_URL = started.url;
  return () => started.stop();
}
