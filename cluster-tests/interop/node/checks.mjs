// What the clients written in JavaScript share: flags, checks and the report.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { endpoint: { type: 'string', default: 'http://127.0.0.1:2379' }, ca: { type: 'string' }, prefix: { type: 'string', default: 'node/' }, small: { type: 'boolean', default: false } },
});

export const { endpoint, prefix, small } = values;
export const ca = values.ca === undefined ? undefined : readFileSync(values.ca);

export function expect(ok, message) {
  if (!ok) throw new Error(message);
}

/** Runs each, prints the report, and ends the process with 1 if any failed. */
export async function report(client, tests) {
  const checks = [];
  for (const [name, run] of Object.entries(tests)) {
    try {
      await run();
      checks.push({ name, ok: true });
    } catch (error) {
      checks.push({ name, ok: false, error: String(error) });
    }
  }
  process.stdout.write(`${JSON.stringify({ client, checks })}\n`, () => process.exit(checks.every(({ ok }) => ok) ? 0 : 1));
}
