/** The pasts that trials begin with, by what they are to show. A function of the seed. */

import { KiB } from '../../base/bytes.js';
import { must } from '../../base/assert.js';
import type { Pump } from '../world/world.js';
import { Author, pastSettings } from './author.js';
import type { Past } from './past.js';
import { SECOND_US } from './trial.js';

/**
 *   even       all have the same, in logs and tables; half of them are at rest for long
 *   lagging    members were away, leaders changed, and entries are left that one member has alone
 *   wide       as even, all at rest for long, in log segments beside which stripes are small
 *   snapshot   the log is whole, or dropped behind tables; a member may need a snapshot
 */
export type PastKind = 'even' | 'wide' | 'lagging' | 'snapshot';

/** The last one that was made, for the cases that begin with it. */
export class PastShelf {
  readonly #pump: Pump;
  #last: { readonly name: string; readonly past: Past } | undefined;

  constructor(pump: Pump) {
    this.#pump = pump;
  }

  async get(kind: PastKind, seed: number): Promise<Past> {
    const name = `${kind} ${seed}`;
    if (this.#last?.name !== name) this.#last = { name, past: await makePast(kind, seed, this.#pump) };
    return this.#last.past;
  }
}

async function makePast(kind: PastKind, seed: number, pump: Pump): Promise<Past> {
  switch (kind) {
    case 'even':
      return even(seed, pump, 64 * KiB);
    case 'wide':
      return even(seed, pump, 1024 * KiB);
    case 'lagging':
      return lagging(seed, pump);
    case 'snapshot':
      return snapshot(seed, pump);
  }
}

async function even(seed: number, pump: Pump, logSegmentBytes: number): Promise<Past> {
  const author = new Author(seed, 'even', pastSettings(12 * KiB, logSegmentBytes), pump);
  const { random } = author;
  await author.begin();
  await author.writes(random.pick([6, 20, 60, 120]));
  await author.rest();
  // What follows is in no table yet.
  await author.writes(random.between(2, 12), 40, 120);
  await author.rest(logSegmentBytes > 64 * KiB || random.chance(1, 2));
  return author.end(random.pick(['stop', 'kill']));
}

async function lagging(seed: number, pump: Pump): Promise<Past> {
  const author = new Author(seed, 'lagging', pastSettings(), pump);
  const { random, trial } = author;
  await author.begin();
  await author.writes(random.between(4, 20));
  for (let epoch = random.between(1, 3); epoch > 0; epoch--) {
    const away = random.pick(trial.nodes);
    if (trial.up.length === trial.nodes.length) trial.end(away, random.pick(['kill', 'power']));
    await author.led();
    await author.writes(random.between(1, 8));
    if (random.chance(1, 2)) await author.loneWrites(random.between(1, 3));
    for (const node of trial.nodes) if (node.process === undefined && random.chance(1, 2)) trial.restart(node);
    await author.led();
    if (random.chance(1, 2)) await author.writes(random.between(1, 4));
  }
  return author.end(random.pick(['stop', 'kill']));
}

async function snapshot(seed: number, pump: Pump): Promise<Past> {
  const author = new Author(seed, 'snapshot', pastSettings(8 * KiB), pump);
  const { random, trial } = author;
  await author.begin();
  await author.writes(random.between(5, 40));
  const away = random.chance(2, 3) ? random.pick(trial.nodes) : undefined;
  if (away !== undefined) {
    await author.rest();
    trial.end(away);
    await author.led();
  }
  await author.writes(random.pick([30, 150, 300]), 100, 700);
  await author.rest(false);
  await trial.pass(random.between(0, 20) * SECOND_US);
  if (away !== undefined && random.chance(1, 4)) {
    // In the middle of what it is sent.
    trial.restart(away);
    await trial.pass(random.between(50, 2_000) * 1_000);
    trial.end(must(trial.nodes.find((node) => node === away), 'it is one of them'), random.pick(['kill', 'power']));
  }
  return author.end(random.pick(['stop', 'kill']));
}
