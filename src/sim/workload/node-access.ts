/**
 * A request at a node: it runs in the node's event loop, as long as that life lasts. The answer is
 * read at the moment at which a server would encode it, and every value in it is held against its
 * checksum (S4).
 */

import { codeOf, messageOf } from '../../base/errors.js';
import type { Coverage } from '../model/coverage.js';
import type { Violation } from '../model/result.js';
import type { Process, World } from '../world/world.js';
import type { History, OpRecord, Outcome } from './history/history.js';
import { DAMAGED_VALUE, kvsOf, type Answer } from './history/operation.js';
import { commandText } from './log-witness.js';
import { meaningOf } from './outcomes.js';
import type { Values } from './values.js';
import { Wire } from './wire.js';
import type { WorkloadNode, WorkloadStore } from './node.js';

export interface NodeAccessOptions {
  readonly world: World;
  readonly coverage: Coverage;
  readonly history: History;
  readonly values: Values;
  readonly report: (violation: Violation) => void;
  readonly dataLoss?: (record: OpRecord, error: unknown) => void;
}

export class NodeAccess {
  readonly #options: NodeAccessOptions;
  readonly #wire: Wire;

  constructor(options: NodeAccessOptions) {
    this.#options = options;
    this.#wire = new Wire((value) => options.values.bytesOf(value));
  }

  /**
   * What the log says of this operation when it is carried out, see `commandText`; undefined if it
   * is never in it.
   */
  commandTextOf({ op }: OpRecord): string | undefined {
    const command = this.#wire.command(op);
    return command && commandText(command);
  }

  /**
   * Carries out `record.op` on the present life of the node. Returns the process that took it, or
   * undefined: refused, which was replied. `reply` is called in that process, or never.
   */
  serve(node: WorkloadNode, record: OpRecord, reply: (outcome: Outcome) => void): Process | undefined {
    const running = node.state === 'up' ? node.running : undefined;
    if (running === undefined || !running.process.alive) {
      reply({ kind: 'refused', code: 'UNREACHABLE' });
      return undefined;
    }
    const { world } = this.#options;
    const { process, store } = running;
    const life = node.lives;
    // The answer leaves when the event loop comes to it: a stall delays it, a crash swallows it.
    const answered = (outcome: Outcome): void => void world.schedule(0, () => reply(outcome), process);
    world.schedule(0, () => {
      record.life = life;
      this.#run(store, record, process, answered);
    }, process);
    return process;
  }

  #run(store: WorkloadStore, record: OpRecord, process: Process, reply: (outcome: Outcome) => void): void {
    this.#wire.carryOut(store, record.op).then(
      (answer) => {
        if (!process.alive) return;
        this.#check(record, answer);
        reply({ kind: 'answered', answer });
      },
      (error: unknown) => {
        if (process.alive) reply(this.#failed(record, error));
      },
    );
  }

  #failed(record: OpRecord, error: unknown): Outcome {
    const { coverage, dataLoss } = this.#options;
    const code = codeOf(error);
    coverage.branch(`answer ${code ?? 'UNTYPED'}`);
    if (code === 'DATA_LOSS') dataLoss?.(record, error);
    const meaning = meaningOf(code, record.op);
    if (meaning === 'undeserved') {
      const kind = code === undefined ? 'crash' : 'correctness';
      this.#report(record, kind, 'typed answers', `a ${record.op.kind} was answered with ${messageOf(error)}`);
    }
    return meaning === 'refused' ? { kind: 'refused', code: code ?? '' } : { kind: 'unknown', code: code ?? 'UNTYPED' };
  }

  #check(record: OpRecord, answer: Answer): void {
    kvsOf(answer, (kv) => {
      if (kv.value !== DAMAGED_VALUE) return;
      const what = `operation ${record.id} (${record.op.kind}) at revision ${answer.revision}`;
      this.#report(record, 'correctness', 'S4 value checksum', `${what} got bytes that nobody wrote: key ${JSON.stringify(kv.key)} mod ${kv.mod}`);
    });
  }

  #report(record: OpRecord, kind: Violation['kind'], check: string, message: string): void {
    this.#options.report({ kind, check, message, atUs: this.#options.world.nowUs, node: record.node });
  }
}
