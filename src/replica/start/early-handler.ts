/**
 * What the network of a member calls from before there is a replica: a member that lacks something
 * at its very start must be able to ask its peers for it. Until the replica takes its place frames
 * are dropped, as any network may drop them, and calls are refused but for those that can be
 * answered without it: a member that waits for its peers must not keep from them what they wait
 * for.
 *
 *   nobody     every call is refused
 *   tables     blocks of tables are served, while a lost version is regained, the log is opened or
 *              this member waits to be re-admitted
 *   replica    it answers, from now on
 *
 * Besides, entries of the log are given while it is known what it holds, and by a member that is to
 * be re-admitted the version that it has left.
 */

import type { Closeable } from '../../base/acquiring.js';
import { assert } from '../../base/assert.js';
import type { Network, NetworkHandler } from '../../base/env.js';
import { NetworkError } from '../../base/errors.js';
import type { NodeId } from '../../base/ids.js';
import { isTableCall, type TableServer } from '../fetch/table-server.js';
import { encodeAdmissionAnswer, READMIT_METHOD } from '../readmission/call.js';
import { LOG_ENTRIES_METHOD } from '../log-recovery/entries-call.js';
import type { LogServer } from '../log-recovery/log-server.js';

/** Who answers the peers. */
type Answering =
  | { readonly by: 'nobody' }
  | { readonly by: 'tables'; readonly server: TableServer }
  | { readonly by: 'replica'; readonly handler: NetworkHandler };

/** Answers some methods. Rejects with CodecError. */
export interface CallServer {
  takes(method: string): boolean;
  answer(method: string, request: Uint8Array): Promise<Uint8Array>;
}

const MOVES: Readonly<Record<Answering['by'], readonly Answering['by'][]>> = {
  nobody: ['tables', 'replica'],
  tables: ['nobody'],
  replica: [],
};

export class EarlyHandler implements NetworkHandler, Closeable {
  readonly #network: Network;
  #answering: Answering = { by: 'nobody' };
  /** Undefined: the log is not open. */
  #log: LogServer | undefined;
  /** Undefined: none is given. */
  #version: CallServer | undefined;
  /** It waits to be re-admitted: it cannot let in others, and says so. */
  #asks = false;
  /** The network was started with this handler; it is started once. */
  #listening = false;

  constructor(network: Network) {
    this.#network = network;
  }

  /** From now on peers can be called. More than once does nothing more. */
  async listen(): Promise<void> {
    if (this.#listening) return;
    this.#listening = true;
    await this.#network.start(this);
  }

  /** Blocks of tables are served, before there is a replica, until `endTables`. */
  serveTables(server: TableServer): void {
    this.#to({ by: 'tables', server });
  }

  endTables(): void {
    this.#to({ by: 'nobody' });
  }

  /** Entries of the log are given, before there is a replica, until `endLog`. */
  serveLog(server: LogServer): void {
    assert(this.#answering.by !== 'replica', 'R5 the replica speaks for its log');
    this.#log = server;
  }

  endLog(): void {
    this.#log = undefined;
  }

  /** The version that is here is given, before there is a replica. */
  serveVersion(server: CallServer): void {
    assert(this.#answering.by !== 'replica', 'R5 the replica speaks for its versions');
    this.#version = server;
  }

  /** From now on others that ask to be re-admitted are told that this member does, too. */
  asks(): void {
    this.#asks = true;
  }

  /** From now on the replica answers its peers. */
  async replaceBy(handler: NetworkHandler): Promise<void> {
    this.#to({ by: 'replica', handler });
    await this.listen();
  }

  /** Nobody will answer. */
  async close(): Promise<void> {
    if (this.#listening) await this.#network.stop();
  }

  onFrame(from: NodeId, frame: Uint8Array): void {
    if (this.#answering.by === 'replica') this.#answering.handler.onFrame(from, frame);
  }

  onCall(from: NodeId, method: string, request: Uint8Array): Promise<Uint8Array> {
    const answering = this.#answering;
    if (answering.by === 'replica') return answering.handler.onCall(from, method, request);
    if (this.#log !== undefined && method === LOG_ENTRIES_METHOD) return this.#log.answer(request);
    if (answering.by === 'tables' && isTableCall(method)) return answering.server.answer(request);
    if (this.#version?.takes(method) === true) return this.#version.answer(method, request);
    if (this.#asks && method === READMIT_METHOD) return Promise.resolve(encodeAdmissionAnswer({ says: 'asks' }));
    return Promise.reject(new NetworkError('CLOSED', 'this member is still opening its files'));
  }

  onDisconnect(peer: NodeId): void {
    if (this.#answering.by === 'replica') this.#answering.handler.onDisconnect(peer);
  }

  onRemoved(peer: NodeId): void {
    if (this.#answering.by === 'replica') this.#answering.handler.onRemoved(peer);
  }

  #to(next: Answering): void {
    const { by } = this.#answering;
    assert(MOVES[by].includes(next.by), `R5 peers are answered by ${by}, and then not by ${next.by}`);
    this.#answering = next;
  }
}
