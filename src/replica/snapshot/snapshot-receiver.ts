/**
 * Receives a snapshot: a manifest whose tables this member may have, in part. Only what it lacks is
 * fetched. The message reaches the Raft core only when every table is here, verified and synced; so
 * an acknowledgement of the snapshot means that the data is here. One transfer at a time; a newer
 * offer replaces an older one, and any offer of Raft's a version that this member asked for.
 */

import { assert, must } from '../../base/assert.js';
import { EMPTY } from '../../base/bytes.js';
import { CodecError, codeOf, messageOf } from '../../base/errors.js';
import type { Env, Timer } from '../../base/env.js';
import type { LogIndex, NodeId, Term } from '../../base/ids.js';
import type { Message } from '../../raft/types.js';
import type { Tree } from '../../storage/tree/tree.js';
import type { TableStore } from '../../storage/table/table-store.js';
import { verifyTable } from '../../storage/table/verify-table.js';
import type { Version } from '../../storage/version/version.js';
import { sameBirth, tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import { FRAME_SNAPSHOT_ALIVE, frame } from '../wire/frame.js';
import type { RaftDriver } from '../consensus/raft-driver.js';
import type { Life } from '../state/life.js';
import type { Membership } from '../state/membership.js';
import type { TableFetcher } from '../fetch/table-fetcher.js';
import { IncomingTransfer, type TransferProgress } from './incoming-transfer.js';
import { receiveVersion } from './version-message.js';

export interface SnapshotReceiverParts {
  readonly env: Env;
  readonly membership: Pick<Membership, 'peers'>;
  readonly tree: Tree;
  readonly tables: TableStore;
  readonly fetcher: TableFetcher;
  /**
   * Gets the message once all its tables are here. Undefined before Raft runs: then versions are
   * asked for, and none is offered.
   */
  readonly raft: { readonly driver: Pick<RaftDriver, 'step'>; readonly life: Pick<Life, 'fail'> } | undefined;
}

const SIGN_MS = 1_000;
const TELL_MS = 5_000;

export class SnapshotReceiver {
  readonly #parts: SnapshotReceiverParts;
  /** The one that goes on, and while it does the timer that says so to its sender. */
  #transfer: IncomingTransfer | undefined;
  #timer: Timer | undefined;
  /** These only grow. */
  #transfers = 0;
  #received = 0;
  #fetchedBytes = 0;
  #reusedBytes = 0;
  /** When it last said how far it is. */
  #toldAt = -Infinity;

  constructor(parts: SnapshotReceiverParts) {
    this.#parts = parts;
  }

  /** A transfer is under way. */
  get busy(): boolean {
    return this.#transfer !== undefined;
  }

  /**
   * Transfers completed, bytes of tables fetched for them and bytes that were here already, since
   * start.
   */
  get totals(): { readonly received: number; readonly fetchedBytes: number; readonly reusedBytes: number } {
    return { received: this.#received, fetchedBytes: this.#fetchedBytes, reusedBytes: this.#reusedBytes };
  }

  /** Of the one that goes on. */
  get receiving(): TransferProgress | undefined {
    return this.#transfer?.progress;
  }

  offer(message: Message): void {
    assert(message.type === 'MsgSnap' && message.snapshot !== undefined, `R3 ${message.type} offers no snapshot`);
    const { driver, life } = must(this.#parts.raft, 'Raft sends no snapshot before it runs');
    const index = message.snapshot?.metadata.index ?? 0;
    const present = this.#transfer;
    if (present) {
      if (present.covers(message.term, index)) return;
      present.to('cancelled');
    }
    const begun = this.#begin(message.from, message.term, index);
    const received = this.#guarded(begun, async () => {
      const { snapshot } = message;
      const { bytes, manifest } = await receiveVersion(this.#parts.env, message.from, snapshot?.data ?? EMPTY, begun);
      refuseMisplaced(manifest, message);
      // Whatever came of it in how many messages: the core gets all of it.
      const whole = snapshot && { ...message, snapshot: { ...snapshot, data: bytes } };
      if (!begun.cancelled) await this.#run(begun, manifest, () => driver.step(whole ?? message));
    });
    received.catch((error: unknown) => life.fail(error));
  }

  /**
   * Fetches what is lacking of a version that a peer has pinned for this member. `arrived` runs
   * when all of it is here, and the tables stay while it does. False at once while another transfer
   * is under way, later if this one failed or was replaced. Rejects with what `arrived` rejects
   * with.
   */
  async obtain(from: NodeId, manifest: Version, arrived: () => Promise<boolean>): Promise<boolean> {
    if (this.#transfer) return false;
    const begun = this.#begin(from, 0, manifest.flushed.index);
    let end: Promise<boolean> = Promise.resolve(false);
    await this.#guarded(begun, () => this.#run(begun, manifest, async () => void (await (end = arrived()))));
    return end;
  }

  #begin(from: NodeId, term: Term, index: LogIndex): IncomingTransfer {
    assert(this.#transfer === undefined || this.#transfer.cancelled, 'S5 one transfer at a time');
    const transfer = new IncomingTransfer(from, term, index, ++this.#transfers);
    this.#transfer = transfer;
    this.#sign();
    return transfer;
  }

  async #guarded(transfer: IncomingTransfer, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      const { events } = this.#parts.env;
      if (!transfer.cancelled) events.emit({ type: 'warning', message: 'a snapshot could not be received', data: { why: messageOf(error) } });
    } finally {
      if (this.#transfer === transfer) this.#end('over');
      assert(transfer.ended, `S5 transfer ${transfer.number} holds nothing once it is over`);
    }
  }

  stop(): void {
    this.#end('cancelled');
  }

  /** No transfer goes on from here, and nobody is told that one does. */
  #end(how: 'over' | 'cancelled'): void {
    this.#transfer?.to(how);
    this.#transfer = undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Tells the sender to keep the files. */
  #sign(): void {
    const { env } = this.#parts;
    const transfer = this.#transfer;
    if (!transfer) return;
    assert(!transfer.ended, `S5 only a transfer that goes on gives signs of life: ${transfer.number}`);
    this.#timer?.cancel();
    env.network.send(transfer.from, frame(FRAME_SNAPSHOT_ALIVE, EMPTY));
    this.#timer = env.clock.setTimer(SIGN_MS, () => this.#sign());
  }

  async #run(transfer: IncomingTransfer, manifest: Version, arrived: () => Promise<void> | void): Promise<void> {
    const { env, tree } = this.#parts;
    const mine = [...tree.durable.list(), ...tree.latest.list()].filter((meta) => tree.isLocal(meta.id));
    const unpin = tree.pin(mine);
    assert(manifest.flushed.index === transfer.index, `S2 transfer ${transfer.number} is of the version at ${transfer.index}`);
    try {
      const before = this.#fetchedBytes;
      const reused = this.#reusedBytes;
      transfer.begins(manifest.list().length, totalBytes(manifest.list()));
      for (const meta of manifest.list()) {
        if (transfer.cancelled) return;
        await this.#obtain(meta, mine, transfer);
        transfer.has(meta.bytes);
        this.#tell(transfer);
      }
      await env.disk.syncDir('tables');
      if (transfer.cancelled) return;
      assert(this.#transfer === transfer, 'S5 the transfer that is complete is the one that goes on');
      transfer.to('arrived');
      this.#received++;
      const fetchedBytes = this.#fetchedBytes - before;
      const { from } = transfer;
      env.events.emit({ type: 'snapshot-received', from, index: transfer.index, fetchedBytes, reusedBytes: this.#reusedBytes - reused });
      await arrived();
    } finally {
      unpin();
    }
  }

  #tell({ progress }: IncomingTransfer): void {
    const { clock, events } = this.#parts.env;
    if (clock.now() - this.#toldAt < TELL_MS) return;
    this.#toldAt = clock.now();
    events.emit({ type: 'snapshot-progress', ...progress });
  }

  async #obtain(meta: TableMeta, mine: readonly TableMeta[], transfer: IncomingTransfer): Promise<void> {
    const { env, tree, fetcher, tables, membership } = this.#parts;
    const own = mine.find((table) => table.id === meta.id && table.fileDigest === meta.fileDigest);
    assert(own === undefined || tree.isLocal(own.id), `S5 table ${meta.id} stays while it is pinned for a transfer`);
    if (own && env.disk.sizeOf(tablePath(own.id)) === own.bytes) {
      this.#reusedBytes += meta.bytes;
      return;
    }
    const path = tablePath(meta.id);
    const left = env.disk.sizeOf(path);
    if (left === meta.bytes && (await verifyTable(env.disk, path, meta, { pace: env.workers })).pristine) {
      this.#reusedBytes += meta.bytes;
      return;
    }
    // The same bytes may lie here under another id, from before a heal; and what is good of a bad
    // file may be good nowhere else.
    const twin = mine.find((table) => sameBirth(table.birth, meta.birth) && table.id !== meta.id);
    const part = partPath(meta);
    const begun = twin === undefined && left === undefined && env.disk.sizeOf(part) !== undefined;
    const local = twin ? tablePath(twin.id) : left !== undefined ? path : begun ? part : undefined;
    const before = fetcher.fetchedBytes;
    // Under a name of its own: the table may be owed, or a cancelled transfer may not be at its end
    // yet.
    const incoming = `tables/recv-${meta.id}-${transfer.number}.tmp`;
    await fetcher.fetchTable(meta, incoming, {
      peers: membership.peers,
      from: transfer.from,
      token: transfer,
      leave: part,
      ...(local === undefined ? {} : { local }),
    });
    if (begun) await env.disk.unlink(part);
    if (transfer.cancelled) return env.disk.unlink(incoming);
    await env.disk.rename(incoming, path);
    tables.replaced(meta.id);
    const fetched = fetcher.fetchedBytes - before;
    assert(fetched >= 0 && transfer.number <= this.#transfers, `bytes are counted up: ${fetched}`);
    this.#fetchedBytes += fetched;
    if (local !== undefined) this.#reusedBytes += Math.max(0, meta.bytes - fetched);
  }
}

/**
 * What of a table has come when its peers could not be reached any more, for the next transfer. No
 * transfer has that number, and a member that starts removes it like all that is half done.
 */
function partPath({ id }: TableMeta): string {
  return `tables/recv-${id}-0.tmp`;
}

function totalBytes(tables: readonly TableMeta[]): number {
  return tables.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** S2 A snapshot is at the flushed index of its manifest. Throws CodecError. */
function refuseMisplaced({ flushed }: Version, { snapshot }: Message): void {
  const { index, term } = snapshot?.metadata ?? { index: 0, term: 0 };
  if (flushed.index === index && flushed.term === term) return;
  throw new CodecError(`S2 a snapshot at ${index} of term ${term} brings a manifest whose flushed index is ${flushed.index} of term ${flushed.term}`);
}
