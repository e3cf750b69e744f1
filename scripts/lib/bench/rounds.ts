/**
 * The results of a bench, on disk as they come. Its unit is the round: one fresh cluster of every
 * server, one after the other. What is compared was measured in the same round, so a round that was
 * interrupted is measured again as a whole, and a bench that was interrupted goes on with the next.
 */

import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Measurement } from './measure.js';

/** One fresh cluster of one server. */
export interface ClusterResult {
  readonly server: string;
  readonly readyMs: number;
  readonly idleBytesPerSecond: number;
  /** By the name of the case. */
  readonly cases: Readonly<Record<string, Measurement>>;
}

export interface Round {
  /** ISO time, for whoever wonders. */
  readonly began: string;
  readonly clusters: readonly ClusterResult[];
}

export class Rounds {
  readonly #file: string;
  readonly #rounds: Round[];

  /** What `file` holds of these servers; `fresh` forgets it. */
  constructor(file: string, servers: readonly string[], fresh: boolean) {
    this.#file = file;
    const kept = !fresh && existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Round[]) : [];
    this.#rounds = kept.filter((round) => servers.every((name) => round.clusters.some(({ server }) => server === name)));
  }

  get file(): string {
    return this.#file;
  }

  get all(): readonly Round[] {
    return this.#rounds;
  }

  /** Atomic: a reader sees the file before or after. */
  add(round: Round): void {
    this.#rounds.push(round);
    mkdirSync(dirname(this.#file), { recursive: true });
    writeFileSync(`${this.#file}.tmp`, JSON.stringify(this.#rounds, null, 1));
    renameSync(`${this.#file}.tmp`, this.#file);
  }

  /** Of every round, in order; empty if the case was not measured. */
  of(server: string, test: string): Measurement[] {
    return this.#rounds.flatMap(({ clusters }) => {
      const found = clusters.find((cluster) => cluster.server === server)?.cases[test];
      return found === undefined ? [] : [found];
    });
  }
}
