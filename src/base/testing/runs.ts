/**
 * How often a test tries what chance decides. Every day as often as finds what the test was written
 * for; `npm run soak:unit` tries all of it.
 */
export function runs(daily: number, all: number): number {
  return process.env['KINTSUGI_RUNS'] === 'all' ? all : daily;
}
