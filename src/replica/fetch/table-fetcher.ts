/**
 * Good bytes of tables from any peer, with neither leader nor quorum, also while the cluster
 * starts. What arrives is verified against the digests that the asker holds before anyone sees it
 * (S4, S6). An outcome tells apart "every peer has the table and no good copy of the block" from
 * "some could not be asked" and from "some have no such table": only the first may ever become
 * DATA_LOSS (D1). Bytes that peers gave up because they compacted the table are not lost, they are
 * elsewhere.
 */

import { assert } from '../../base/assert.js';
import { Deferred } from '../../base/deferred.js';
import { MiB } from '../../base/bytes.js';
import { sleep, type Env } from '../../base/env.js';
import { codeOf, messageOf, NetworkError } from '../../base/errors.js';
import type { NodeId } from '../../base/ids.js';
import { directoryOf } from '../../base/replace-file.js';
import { StorageError } from '../../storage/base/errors.js';
import { rebuildTable } from '../../storage/table/rebuild-table.js';
import type { BlockName } from '../../storage/table/table-image.js';
import { verifyTable } from '../../storage/table/verify-table.js';
import type { TableMeta } from '../../storage/table/table-meta.js';
import { EtcdError } from '../../api/etcd-error.js';
import type { ByteRate } from './byte-rate.js';
import { BlockWindow } from './block-window.js';
import { decodeRegionsAnswer, encodeRegionsRequest, TABLE_REGIONS_METHOD, type RegionsAnswer } from './table-wire.js';
import { payloadMatches, type WantedBlock } from './wanted-block.js';

export type BlockOutcome =
  | { readonly kind: 'good'; readonly payload: Uint8Array; readonly from: NodeId }
  /** Every peer has the table, and none has a good copy. */
  | { readonly kind: 'lost' }
  /**
   * Every peer answered, none has a good copy, and some have no such table: not yet, or no longer,
   * when a newer version does without.
   */
  | { readonly kind: 'gone' }
  /** Some could not be asked, or may have it later. */
  | { readonly kind: 'unknown'; readonly why: string };

/** What an error says of the outcome `gone`. */
export const GONE = 'no peer has a good copy, and some have no such table';

/** Which table, and how large a block of it may be. */
export type FetchedFrom = Pick<TableMeta, 'birth' | 'fileDigest' | 'bytes'>;

/** Of the calls that may be in flight. */
const LEFT_FOR_OTHERS = 2;
/** What a slow link carries in a second. */
const SLOW_BYTES = 8 * MiB;

export interface FetchTableOptions {
  readonly peers: readonly NodeId[];
  /** Asked first. */
  readonly from?: NodeId;
  /** A local file that may hold some or all of the bytes: what is good there is not fetched. */
  readonly local?: string;
  /** Local payloads that are asked for before any peer (repaired blocks). */
  readonly held?: (offset: number) => Uint8Array | undefined;
  /**
   * Where what has come is left if peers cannot be reached any more: the `local` of the next try.
   * Nothing of it is believed then but what verifies.
   */
  readonly leave?: string;
  /** Looked at between blocks: once it is cancelled the fetch ends with StorageError CANCELLED. */
  readonly token?: { readonly cancelled: boolean };
}

export interface FetchedTable {
  /** Of the file. */
  readonly bytes: number;
  /** Blocks that came from peers or `held`, and blocks that parity restored in the local file. */
  readonly fetchedBlocks: number;
  readonly correctedBlocks: number;
}

export interface TableFetcherOptions {
  /** Of a call for small blocks; a table of large ones gets more. Default 5 s. */
  readonly callTimeoutMs?: number;
  /** Calls in flight at most, which bounds the memory of answers (1 MiB each, or one
   * block). Default 6. */
  readonly maxCalls?: number;
  /** Rounds over all peers before a block of a whole table counts as out of reach. Default 3. */
  readonly rounds?: number;
  /** Pause before the second round; doubles. Default 200 ms. */
  readonly roundPauseMs?: number;
}

export class TableFetcher {
  readonly #env: Env;
  readonly #options: Required<TableFetcherOptions>;
  readonly #pace: Pick<ByteRate, 'take'> | undefined;
  /**
   * In flight, by peer: together 0 to `maxCalls`, and to one peer some fewer, so that one that does
   * not answer leaves room for the others. What has no room waits, in order.
   */
  readonly #calls = new Map<NodeId, number>();
  readonly #waiting: { readonly peer: NodeId; readonly go: () => void }[] = [];
  /** Only grows. */
  #fetchedBytes = 0;

  /** `pace`: of what comes of whole tables. */
  constructor(env: Env, options: TableFetcherOptions = {}, pace?: Pick<ByteRate, 'take'>) {
    this.#env = env;
    this.#pace = pace;
    this.#options = { callTimeoutMs: 5_000, maxCalls: 6, rounds: 3, roundPauseMs: 200, ...options };
    assert(this.#options.maxCalls > 0 && this.#options.rounds > 0, 'D1 a block that is lacked is asked for at least once');
  }

  /** Payload bytes received from peers since start. */
  get fetchedBytes(): number {
    return this.#fetchedBytes;
  }

  /**
   * Asks all peers, two at a time, until one gives the block: who is slower is not waited for.
   * Never rejects.
   */
  async fetchBlock(table: FetchedFrom, block: WantedBlock, peers: readonly NodeId[]): Promise<BlockOutcome> {
    const left = [...peers];
    assert(new Set(left).size === left.length, 'D1 each peer is asked once, and counts once');
    let good: Extract<BlockOutcome, { kind: 'good' }> | undefined;
    const found = new Deferred<void>();
    let why: string | undefined;
    let gone = false;
    const askInTurn = async (): Promise<void> => {
      for (let peer = left.shift(); peer !== undefined && good === undefined; peer = left.shift()) {
        const outcome = await this.#askFor(peer, table, block);
        if (outcome.kind === 'good') {
          good ??= outcome;
          found.resolve();
        } else if (outcome.kind === 'unknown') why = outcome.why;
        else if (outcome.kind === 'gone') gone = true;
      }
    };
    await Promise.race([Promise.all([askInTurn(), askInTurn()]), found.promise]);
    assert(good !== undefined || left.length === 0, 'D1 nothing is called lost before every peer was asked');
    if (good !== undefined) return good;
    if (why !== undefined) return { kind: 'unknown', why };
    return { kind: gone ? 'gone' : 'lost' };
  }

  async #askFor(peer: NodeId, table: FetchedFrom, block: WantedBlock): Promise<BlockOutcome> {
    const answer = await this.ask(peer, table, block.offset, 1);
    if (typeof answer === 'string') return { kind: 'unknown', why: answer };
    if (answer.kind === 'none') return { kind: 'gone' };
    if (answer.kind === 'later') return { kind: 'unknown', why: `peer ${peer.toString(16)} may have it later` };
    const payload = answer.pieces.find((piece) => piece.offset === block.offset)?.payload;
    if (payload === undefined) return { kind: 'lost' };
    // Bytes that were good there and are wrong here were damaged on the way: that says nothing of
    // the copy.
    if (!payloadMatches(payload, block.digest)) return { kind: 'unknown', why: `peer ${peer.toString(16)} sent other bytes` };
    return { kind: 'good', payload, from: peer };
  }

  /** One call; the text of the failure if there was no answer. */
  async ask(peer: NodeId, table: FetchedFrom, offset: number, bytes: number): Promise<RegionsAnswer | string> {
    await this.#enter(peer);
    try {
      const { birth, fileDigest } = table;
      const request = encodeRegionsRequest({ birth, fileDigest, offset, bytes });
      // No block is larger than its table.
      const timeoutMs = this.#options.callTimeoutMs + 1_000 * Math.floor(table.bytes / SLOW_BYTES);
      const reply = await this.#env.network.call(peer, TABLE_REGIONS_METHOD, request, timeoutMs);
      const answer = decodeRegionsAnswer(reply);
      if (answer.kind === 'pieces') this.#fetchedBytes += sizeOf(answer);
      return answer;
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      return messageOf(error);
    } finally {
      this.#leave(peer);
    }
  }

  /** As {@link ask}; it waits once the call is over, so that no other call is kept waiting. */
  async #askAtPace(peer: NodeId, table: FetchedFrom, offset: number, bytes: number): Promise<RegionsAnswer | string> {
    const answer = await this.ask(peer, table, offset, bytes);
    if (typeof answer !== 'string' && answer.kind === 'pieces') await this.#pace?.take(sizeOf(answer));
    return answer;
  }

  /**
   * Makes the complete, proven file of `meta` at `path`: own good bytes from `local`, the rest from
   * peers, every block and the whole file verified, synced with its directory and read back past
   * the caches. `path` must not be `local`, and what lies there is replaced. Rejects with
   * NetworkError UNREACHABLE (try again), EtcdError DATA_LOSS (every peer lacks a block),
   * StorageError DIGEST_MISMATCH or CANCELLED, DiskError; nothing is left at `path` then.
   */
  async fetchTable(meta: TableMeta, path: string, options: FetchTableOptions): Promise<FetchedTable> {
    const { disk } = this.#env;
    assert(path !== options.local && path.endsWith('.tmp'), `H5 a table that is being made has a name of its own: ${path}`);
    assert(meta.bytes > 0, `S4 table ${meta.id} has bytes to be fetched`);
    // Never written through: the name might be a second one of a live file.
    await disk.unlink(path);
    try {
      const made = await this.#writeTable(meta, path, options);
      await disk.syncDir(directoryOf(path));
      await this.#prove(meta, path, options);
      return made;
    } catch (error) {
      const { leave } = options;
      // What an earlier try has left may be more.
      const more = (disk.sizeOf(path) ?? 0) > (disk.sizeOf(leave ?? path) ?? 0);
      const left = leave !== undefined && more && error instanceof NetworkError;
      await (left ? disk.rename(path, leave) : disk.unlink(path)).catch(() => undefined);
      throw error;
    }
  }

  async #writeTable(meta: TableMeta, path: string, options: FetchTableOptions): Promise<FetchedTable> {
    const { disk } = this.#env;
    const window = new BlockWindow((peer, offset, bytes) => this.#askAtPace(peer, meta, offset, bytes), inOrder(options));
    let missing: BlockOutcome | undefined;
    const fetch = async (block: BlockName): Promise<Uint8Array | undefined> => {
      const held = options.held?.(block.offset);
      if (held !== undefined && payloadMatches(held, block.digest)) return held;
      const outcome = await this.#persist(meta, block, window, options);
      if (outcome.kind === 'good') return outcome.payload;
      missing = outcome;
      return undefined;
    };
    const file = await disk.open(path, 'create');
    try {
      const report = await rebuildTable(disk, options.local ?? `${path}.absent`, meta, {
        fetch,
        out: file,
        pace: { breathe: () => this.#breathe(options) },
      });
      await file.sync();
      return report;
    } catch (error) {
      if (missing?.kind === 'lost') throw new EtcdError('DATA_LOSS', `table ${meta.id}`, error);
      if (missing?.kind === 'gone') throw new NetworkError('UNREACHABLE', `table ${meta.id}: ${GONE}`, { table: meta.id, gone: true }, error);
      if (missing?.kind === 'unknown') throw new NetworkError('UNREACHABLE', `table ${meta.id}: ${missing.why}`, { table: meta.id }, error);
      throw error;
    } finally {
      file.close();
    }
  }

  /** A block through the window, then from each peer, in rounds while one could not be asked. */
  async #persist(meta: TableMeta, block: BlockName, window: BlockWindow, options: FetchTableOptions): Promise<BlockOutcome> {
    const ahead = await window.take(block);
    if (ahead !== undefined) return { kind: 'good', payload: ahead, from: 0 };
    let outcome: BlockOutcome = { kind: 'unknown', why: 'no peers' };
    for (let round = 0; round < this.#options.rounds; round++) {
      if (round > 0) await sleep(this.#env.clock, this.#options.roundPauseMs * 2 ** (round - 1));
      if (options.token?.cancelled === true) return outcome;
      outcome = await this.fetchBlock(meta, block, options.peers);
      if (outcome.kind !== 'unknown') return outcome;
    }
    return outcome;
  }

  async #prove(meta: TableMeta, path: string, options: FetchTableOptions): Promise<void> {
    const proof = await verifyTable(this.#env.disk, path, meta, { pace: { breathe: () => this.#breathe(options) } });
    if (proof.pristine) return;
    throw new StorageError('DIGEST_MISMATCH', `table ${meta.id} was written to ${path} and reads back differently`, {
      tableId: meta.id, path, fault: proof.faults[0]?.why,
    });
  }

  #breathe(options: FetchTableOptions): Promise<void> | undefined {
    if (options.token?.cancelled === true) throw new StorageError('CANCELLED', 'the fetch of a table was given up');
    const { workers } = this.#env;
    return (workers.between ?? workers).breathe();
  }

  #enter(peer: NodeId): Promise<void> | undefined {
    if (this.#hasRoom(peer)) {
      this.#count(peer, 1);
      return undefined;
    }
    return new Promise((go) => this.#waiting.push({ peer, go }));
  }

  #leave(peer: NodeId): void {
    this.#count(peer, -1);
    const at = this.#waiting.findIndex((next) => this.#hasRoom(next.peer));
    const [next] = at < 0 ? [] : this.#waiting.splice(at, 1);
    if (next === undefined) return;
    this.#count(next.peer, 1);
    next.go();
  }

  #hasRoom(peer: NodeId): boolean {
    const { maxCalls } = this.#options;
    return this.#inFlight < maxCalls && (this.#calls.get(peer) ?? 0) < Math.max(1, maxCalls - LEFT_FOR_OTHERS);
  }

  get #inFlight(): number {
    let calls = 0;
    for (const each of this.#calls.values()) calls += each;
    return calls;
  }

  #count(peer: NodeId, change: 1 | -1): void {
    const calls = (this.#calls.get(peer) ?? 0) + change;
    if (calls === 0) this.#calls.delete(peer);
    else this.#calls.set(peer, calls);
    assert(calls >= 0 && this.#inFlight <= this.#options.maxCalls, `D1 ${this.#inFlight} calls of at most ${this.#options.maxCalls}`);
  }
}

/** Of payload. */
function sizeOf({ pieces }: Extract<RegionsAnswer, { kind: 'pieces' }>): number {
  return pieces.reduce((sum, { payload }) => sum + (payload?.length ?? 0), 0);
}

/** `from` first, then the others. */
function inOrder({ from, peers }: FetchTableOptions): NodeId[] {
  return from === undefined ? [...peers] : [from, ...peers.filter((peer) => peer !== from)];
}
