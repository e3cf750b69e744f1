/**
 * Faults that wait for the next operations they match. Matching is by place, so that a fault
 * strikes what it was planned for and nothing else; with none armed the question costs one
 * comparison.
 */

export const ARMED_KINDS = [
  'read-error', 'sticky-read-error', 'misread', 'write-error', 'no-space', 'sync-error', 'sync-dir-error', 'lost-write',
  'misdirected-write', 'slow-io', 'stalled-sync',
] as const;
export type ArmedKind = (typeof ARMED_KINDS)[number];

export interface Place {
  readonly path: string;
  readonly offset: number;
}

export interface ArmedFault {
  readonly kind: ArmedKind;
  /**
   * Of a name (creation, sync of a directory) offset and length are 0; of a sync they span what it
   * makes durable.
   */
  readonly matches: (path: string, offset: number, length: number) => boolean;
  /** How often it strikes. Infinity: until disarmed. */
  readonly times: number;
  /** Of slow-io and stalled-sync. */
  readonly delayUs?: number;
  /**
   * Where a misdirected write lands; undefined: it is lost and lands nowhere. Asked when it lands.
   * Without it: anywhere on this disk.
   */
  readonly target?: (path: string, offset: number, length: number) => Place | undefined;
  /** The place where it struck. For a misdirected write a second call names where it landed. */
  readonly onStrike: (path: string, offset: number, length: number) => void;
  /**
   * Of a misread: where in the file the wrong bit is. Ignored where that was not read. Without it:
   * anywhere in what was read.
   */
  readonly flipAt?: (path: string, offset: number, length: number) => number;
}

interface Armed {
  readonly fault: ArmedFault;
  left: number;
}

export class ArmedFaults {
  readonly #byKind = new Map<ArmedKind, Armed[]>();

  /** Nothing is armed. */
  get none(): boolean {
    return this.#byKind.size === 0;
  }

  arm(fault: ArmedFault): void {
    if (fault.times <= 0) return;
    const armed = this.#byKind.get(fault.kind);
    if (armed === undefined) this.#byKind.set(fault.kind, [{ fault, left: fault.times }]);
    else armed.push({ fault, left: fault.times });
  }

  disarm(): void {
    this.#byKind.clear();
  }

  /**
   * The fault of this kind that strikes here, which counts as one of its times. The caller reports
   * the strike.
   */
  take(kind: ArmedKind, path: string, offset: number, length: number): ArmedFault | undefined {
    const armed = this.#byKind.get(kind);
    if (armed === undefined) return undefined;
    for (let i = 0; i < armed.length; i++) {
      const one = armed[i] as Armed;
      if (!one.fault.matches(path, offset, length)) continue;
      if (--one.left <= 0) armed.splice(i, 1);
      if (armed.length === 0) this.#byKind.delete(kind);
      return one.fault;
    }
    return undefined;
  }
}
