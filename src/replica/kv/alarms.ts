/**
 * etcd's alarms: replicated state, so that all members refuse the same writes from the same entry
 * on (S2). NOSPACE refuses what makes the store larger; reads, deletes and compaction go on.
 * CORRUPT is told, and refuses nothing: what is damaged fails by itself, nothing else does (D1).
 *
 * An alarm that a leader raised by itself goes by itself when its cause has gone; one that an
 * operator activated, or activated again, goes only by an operator.
 */

import { ByteReader, ByteWriter } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';
import type { NodeId } from '../../base/ids.js';
import { EtcdError } from '../../api/etcd-error.js';
import type { RequestOp } from '../../api/requests.js';
import { isLeaseCommand, type KvCommand } from './command.js';

/** In etcd's numbers. */
export const ALARM_TYPES = { NOSPACE: 1, CORRUPT: 2 } as const;
export type AlarmType = keyof typeof ALARM_TYPES;

export interface Alarm {
  readonly member: NodeId;
  readonly type: AlarmType;
  /** No operator has asked for it. */
  readonly byItself: boolean;
}

export interface AlarmChange extends Alarm {
  readonly action: 'raise' | 'lower';
}

const RAISE = 1;
const BY_ITSELF = 2;
/** Of each member one of each type: more are none of ours. */
const MAX_ALARMS = 4_096;

export class Alarms {
  readonly #active = new Map<string, Alarm>();
  #noSpace = 0;

  /** By member, then type. */
  list(): Alarm[] {
    return [...this.#active.values()].sort((a, b) => a.member - b.member || ALARM_TYPES[a.type] - ALARM_TYPES[b.type]);
  }

  /** There is no space for what makes the store larger. */
  get noSpace(): boolean {
    return this.#noSpace > 0;
  }

  of(member: NodeId, type: AlarmType): Alarm | undefined {
    return this.#active.get(keyOf(member, type));
  }

  /** An entry says so. What changes nothing is no error: it may be proposed more than once. */
  apply({ action, member, type, byItself }: AlarmChange): void {
    const known = this.of(member, type);
    if (action === 'raise') {
      if (known === undefined && this.#active.size >= MAX_ALARMS) return;
      this.#put({ member, type, byItself: byItself && known?.byItself !== false });
    } else if (known !== undefined && (known.byItself || !byItself)) {
      this.#active.delete(keyOf(member, type));
    }
    this.#count();
  }

  /** Why a command is refused while the alarms are what they are. */
  refusalOf(command: KvCommand): EtcdError | undefined {
    if (!this.noSpace || command.kind === 'compact') return undefined;
    return (isLeaseCommand(command) ? command.kind === 'lease-grant' : grows(command)) ? new EtcdError('NO_SPACE') : undefined;
  }

  encode(): Uint8Array {
    const alarms = this.list();
    const out = new ByteWriter(16).varint(alarms.length);
    for (const alarm of alarms) writeAlarm(out, alarm, 0);
    return out.finish();
  }

  /** Throws CodecError. */
  static decode(bytes: Uint8Array): Alarms {
    const input = new ByteReader(bytes, 'alarms');
    const alarms = new Alarms();
    for (let left = input.count(); left > 0; left--) alarms.#put(readAlarm(input));
    input.end();
    alarms.#count();
    return alarms;
  }

  #put({ member, type, byItself }: Alarm): void {
    this.#active.set(keyOf(member, type), { member, type, byItself });
  }

  #count(): void {
    this.#noSpace = [...this.#active.values()].filter(({ type }) => type === 'NOSPACE').length;
  }
}

export function writeAlarmChange(out: ByteWriter, change: AlarmChange): void {
  writeAlarm(out, change, change.action === 'raise' ? RAISE : 0);
}

/** Throws CodecError. */
export function readAlarmChange(input: ByteReader): AlarmChange {
  const { raised, ...alarm } = readAlarm(input);
  return { ...alarm, action: raised ? 'raise' : 'lower' };
}

function writeAlarm(out: ByteWriter, { member, type, byItself }: Alarm, flags: number): void {
  out.varint(member).u8(ALARM_TYPES[type]).u8(flags | (byItself ? BY_ITSELF : 0));
}

function readAlarm(input: ByteReader): Alarm & { readonly raised: boolean } {
  const member = input.varint();
  const type = alarmType(input.u8());
  const flags = input.u8();
  if (type === undefined || flags > (RAISE | BY_ITSELF)) throw new CodecError('an alarm that is not known');
  return { member, type, byItself: (flags & BY_ITSELF) !== 0, raised: (flags & RAISE) !== 0 };
}

/** By etcd's number. */
export function alarmType(number: number): AlarmType | undefined {
  return (Object.keys(ALARM_TYPES) as AlarmType[]).find((type) => ALARM_TYPES[type] === number);
}

/** Whatever branch a transaction takes: any put in it, however deep. */
function grows(op: RequestOp): boolean {
  if (op.kind === 'put') return true;
  return op.kind === 'txn' && (op.request.success.some(grows) || op.request.failure.some(grows));
}

function keyOf(member: NodeId, type: AlarmType): string {
  return `${member} ${type}`;
}
