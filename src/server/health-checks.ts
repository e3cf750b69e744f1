/**
 * The checks of /livez and /readyz: etcd's, under its names, and ours beside them. Each answers
 * within a time of its own. /livez never hangs on the other members: whoever restarts a member that
 * waits for them mends nothing, and takes from it what it has got so far.
 *
 * Words and codes are etcd's: "ok", or with `verbose` a line for each check before it; a line for
 * each and an empty one, with 503, if one fails. `exclude` leaves checks out, and means the same of
 * a name of etcd's and of those of ours that look at the same thing.
 */

import { accessSync, constants } from 'node:fs';
import { EMPTY } from '../base/bytes.js';
import { codeOf, messageOf } from '../base/errors.js';
import { EtcdError } from '../api/etcd-error.js';
import type { RangeRequest } from '../api/requests.js';
import type { Metrics } from '../observability/metrics.js';
import type { Store } from '../node/store.js';
import { nodeClock } from './env/node-env.js';
import type { Health } from './rpc/health-service.js';

/** Committed entries that may wait for apply before a node counts as behind. */
const MAX_APPLY_LAG = 5_000;
const READ_TIMEOUT_MS = 2_000;
/** Within the second that probes give by default. */
const LIVE_READ_MS = 500;

/** What is looked at. */
export interface CheckedNode {
  readonly store: Store;
  readonly metrics: Metrics;
  readonly health: Health;
  readonly dataDir: string;
}

export type CheckedPage = 'livez' | 'readyz';

type Check = readonly [name: string, run: () => Promise<void>];

export interface CheckResult {
  readonly ok: boolean;
  readonly text: string;
}

/** No key is before it. Whether there is such a key is told by filters; seldom is a block read. */
const FIRST_KEY: RangeRequest = {
  key: Uint8Array.of(0), rangeEnd: EMPTY, limit: 1, revision: 0, sortOrder: 'none', sortTarget: 'key', serializable: true, keysOnly: true,
  countOnly: false, minModRevision: 0, maxModRevision: 0, minCreateRevision: 0, maxCreateRevision: 0,
};

/** Errors of a member that waits for others. */
const WAITS: ReadonlySet<string | undefined> = new Set(['NO_LEADER', 'TIMEOUT', 'TIMEOUT_WAIT_APPLIED']);

/** What is left out with these. */
const ALSO_EXCLUDED: Readonly<Record<string, readonly string[]>> = {
  linearizable_read: ['leader', 'read_index'],
  read_index: ['linearizable_read'],
};

/** As a client is told it. */
export const wordsOf = (error: unknown): string => (error instanceof EtcdError ? error.wireMessage : messageOf(error));

/** A read of what is applied here. Rejects with EtcdError. */
export async function readHere(store: Pick<Store, 'range'>, withinMs = READ_TIMEOUT_MS): Promise<void> {
  let cancel = (): void => undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const timer = nodeClock.setTimer(withinMs, () => reject(new EtcdError('TIMEOUT')));
    cancel = () => timer.cancel();
  });
  try {
    await Promise.race([store.range(FIRST_KEY), late]);
  } finally {
    cancel();
  }
}

/** Does a linearizable read work? Rejects with EtcdError. */
export const readLatest = (store: Pick<Store, 'checkLinearizable'>): Promise<void> => store.checkLinearizable(READ_TIMEOUT_MS);

const must = (ok: boolean, why: string): Promise<void> => (ok ? Promise.resolve() : Promise.reject(new Error(why)));

/** access() tells a read-only or vanished directory without writing at every probe. */
async function checkDisk(dataDir: string): Promise<void> {
  accessSync(dataDir, constants.W_OK);
}

async function checkLiveRead(store: Store): Promise<void> {
  await readHere(store, LIVE_READ_MS).catch((error: unknown) => {
    if (!WAITS.has(codeOf(error))) throw error;
  });
}

function checksOf(page: CheckedPage, { store, health, dataDir }: CheckedNode): readonly Check[] {
  if (page === 'livez') {
    return [
      // That this runs at all says that the loop turns.
      ['loop', () => Promise.resolve()],
      ['disk', () => checkDisk(dataDir)],
      ['serializable_read', () => checkLiveRead(store)],
    ];
  }
  return [
    ['draining', () => must(health.serving, 'the node is shutting down')],
    ['leader', () => must(store.hasLeader, 'no leader is known')],
    ['read_index', () => readLatest(store)],
    ['apply_lag', () => {
      const { commitIndex, appliedIndex } = store.status();
      return must(commitIndex - appliedIndex <= MAX_APPLY_LAG, `${commitIndex - appliedIndex} entries are not applied`);
    }],
    ['data_corruption', () => must(!store.activeAlarms().some(({ type }) => type === 'CORRUPT'), 'alarm activated: CORRUPT')],
    ['serializable_read', () => readHere(store)],
    ['linearizable_read', () => readLatest(store)],
    ['non_learner', () => must(store.members().find(({ id }) => id === store.memberId)?.isLearner !== true, 'not supported for learner')],
  ];
}

/** Undefined: all is well. */
async function whyNot(run: () => Promise<void>): Promise<string | undefined> {
  try {
    await run();
    return undefined;
  } catch (error) {
    return wordsOf(error);
  }
}

/** Of all checks of a page, or of the one that is named; undefined: there is none of that name. */
export async function runChecks(
  page: CheckedPage, only: string | undefined, subject: CheckedNode, query: URLSearchParams,
): Promise<CheckResult | undefined> {
  const excluded = new Set(query.getAll('exclude').flatMap((name) => [name, ...(Object.hasOwn(ALSO_EXCLUDED, name) ? ALSO_EXCLUDED[name] ?? [] : [])]));
  const checks = checksOf(page, subject).filter(([name]) => (only === undefined ? !excluded.has(name) : name === only));
  if (only !== undefined && checks.length === 0) return undefined;
  const lines = await Promise.all(checks.map(async ([name, run]) => {
    const why = await whyNot(run);
    subject.metrics.emit({ type: 'health-checked', page, check: name, ok: why === undefined });
    return why === undefined ? `[+]${name} ok\n` : `[-]${name} failed: ${why}\n`;
  }));
  if (lines.some((line) => line.startsWith('[-]'))) return { ok: false, text: `${lines.join('')}\n` };
  return { ok: true, text: query.has('verbose') ? `${lines.join('')}ok\n` : 'ok\n' };
}
