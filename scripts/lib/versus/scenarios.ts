/**
 * The nine faults of a disk that both servers are held against. Three members; 150 keys of 1 KB are
 * acknowledged, all members are stopped, the files are damaged, the members start, and every key is
 * read through every member. In all of them an intact copy of everything that was acknowledged is
 * on some member's disk: whatever is lost, wrong or for ever refused was not bound to be.
 */

import type { ClusterNode } from '../node.js';
import { burst, flipBit, zero } from '../tables.js';
import { mustFind, type Part, type Place } from './files.js';

export interface Written {
  readonly key: string;
  readonly value: Buffer;
}

/** One damage: of `members` (0 to 2 of the case's order), at a value each. */
export interface Scenario {
  readonly name: string;
  readonly what: string;
  readonly part: Part;
  readonly how: 'bit' | 'zeros' | 'junk';
  readonly members: readonly number[];
  /** The members damaged lose different values; else the same. */
  readonly different?: boolean;
  /** Member 2 is down while the keys are written; member 1 starts last, some time after. */
  readonly lag?: boolean;
}

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'log-zero-1-lag', part: 'log', how: 'zeros', members: [0], lag: true,
    what: '4 KiB of the log of m0 zeroed; m2 was down during the writes; m0 and m2 start, then m1',
  },
  { name: 'log-zero-1', part: 'log', how: 'zeros', members: [0], what: '4 KiB of the log of m0 zeroed' },
  { name: 'log-zero-2', part: 'log', how: 'zeros', members: [0, 1], what: 'the same 4 KiB of the logs of m0 and m1 zeroed' },
  { name: 'log-bit-1', part: 'log', how: 'bit', members: [0], what: 'one bit flipped in a record of the log of m0' },
  { name: 'log-junk-1', part: 'log', how: 'junk', members: [0], what: '4 KiB of junk in the log of m0' },
  {
    name: 'log-bit-2', part: 'log', how: 'bit', members: [0, 1], different: true,
    what: 'one bit flipped in the logs of m0 and m1, in different records',
  },
  {
    name: 'log-bit-3', part: 'log', how: 'bit', members: [0, 1, 2], different: true,
    what: 'one bit flipped in all three logs, in different records',
  },
  { name: 'data-bit-1', part: 'data', how: 'bit', members: [0], what: 'one bit flipped in one value in the data files of m0' },
  { name: 'data-zero-1', part: 'data', how: 'zeros', members: [0], what: 'the 4 KiB page that holds that value zeroed' },
];

const PAGE = 4096;

function damage({ file, offset }: Place, how: Scenario['how'], bit: number): void {
  const page = Math.floor(offset / PAGE) * PAGE;
  if (how === 'bit') flipBit(file, offset, bit);
  else if (how === 'zeros') zero(file, page, PAGE);
  else burst(file, page, PAGE);
}

/** Damages the files of stopped members, all copies of a value in that part; says what. */
export function strike(scenario: Scenario, members: readonly ClusterNode[], written: readonly Written[], seed: number): string[] {
  const third = Math.floor(written.length / 3);
  return scenario.members.map((m, i) => {
    const node = members[m] as ClusterNode;
    // Out of the middle third, so that what comes before and after is there.
    const victim = written[third + ((seed * 17 + (scenario.different === true ? i * 13 : 0)) % third)] as Written;
    const places = mustFind(node, scenario.part, victim.key, victim.value);
    for (const place of places) damage(place, scenario.how, seed % 8);
    return `${node.name} ${victim.key} ${places.map(({ file, offset }) => `${file.slice(node.spec.dataDir.length + 1)}+${offset}`).join(' ')}`;
  });
}
