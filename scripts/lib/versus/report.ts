/** The table of all cases, for the terminal and for the page in the documents. */

import type { Server } from '../bench/server.js';
import { isForbidden, type CaseResult } from './run-case.js';
import type { Scenario } from './scenarios.js';

export interface Column {
  readonly server: Server;
  readonly results: ReadonlyMap<Scenario, readonly CaseResult[]>;
}

const WORDS: Readonly<Record<string, string>> = {
  lost: 'LOST', forked: 'FORKED', wrong: 'WRONG', unavailable: 'unavailable', stopped: 'member ended', silent: 'member does not serve', missed: 'nobody met the damage',
};

function range(numbers: readonly number[]): string {
  const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
  return least === most ? String(least) : `${least} to ${most}`;
}

/** As in `LOST + FORKED 4/5 (52 to 97 keys), OK 1/5`. */
export function cell(results: readonly CaseResult[]): string {
  const kinds = new Map<string, CaseResult[]>();
  for (const result of results) {
    const name = result.words.map((word) => WORDS[word]).join(' + ') || 'OK';
    kinds.set(name, [...(kinds.get(name) ?? []), result]);
  }
  return [...kinds].sort(([, a], [, b]) => b.length - a.length).map(([name, of]) => {
    const keys = of.map(({ lostKeys, wrongKeys }) => lostKeys + wrongKeys);
    return `${name} ${of.length}/${results.length}${Math.max(...keys) > 0 ? ` (${range(keys)} keys)` : ''}`;
  }).join(', ');
}

export const forbidden = (column: Column): number =>
  [...column.results.values()].flat().filter((result) => isForbidden(result, column.server.ours)).length;

export function rows(scenarios: readonly Scenario[], columns: readonly Column[]): string[][] {
  return scenarios.map((scenario) => [scenario.what, ...columns.map(({ results }) => cell(results.get(scenario) ?? []))]);
}

export interface PageOptions {
  readonly command: string;
  readonly date: string;
  readonly build: string;
  readonly seeds: number;
  readonly keys: number;
  readonly valueBytes: number;
}

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

/** Markdown; generated, and says so. */
export function page(scenarios: readonly Scenario[], columns: readonly Column[], options: PageOptions): string {
  const { keys, valueBytes, seeds } = options;
  return `# One damaged disk: Kintsugi and etcd

<!-- Made by \`${options.command}\`: do not edit. -->

Made by \`${options.command}\` on ${options.date} (UTC),
build ${options.build}, Node ${process.versions.node}, real processes on one machine.

Three members; ${keys} keys of ${valueBytes} B are acknowledged, all members are stopped, the files are
damaged, the members start, and every key is read through every member, linearizable and
serializable. Each cell is ${seeds} runs with other keys damaged and the members in other roles. In
every run an intact copy of all that was acknowledged was on some member's disk, so that nothing was
bound to be lost.

${line(['fault', ...columns.map(({ server }) => server.name)])}
${line(['---', ...columns.map(() => '---')])}
${rows(scenarios, columns).map(line).join('\n')}

- *OK*: within 30 seconds every key was read right through every member, and new writes were taken.
- *LOST*: a linearizable read lacked an acknowledged key. *WRONG*: it gave another value.
- *FORKED*: two members that serve differ, and stay so.
- *unavailable*: no new write was taken, or no member served.
- *member ended*, *member does not serve*: it did not come back by itself; the others may serve.

For Kintsugi everything but *OK* is forbidden, and the command exits with 1. While m1 is down in the
first scenario, the only intact copy of an acknowledged entry is on its disk: Kintsugi then serves
no linearizable read and takes no write, and goes on by itself when m1 starts.
`;
}
