/**
 * etcd's `--feature-gates`: what each gate is here, however it is set. A gate whose promise cannot
 * be kept is refused when it is turned on, or off; the others are named once in the log if what
 * they are set to is not what is.
 */

import { UsageError } from './spec.js';

interface Gate {
  /** What holds here, whatever is asked for; undefined: there is no such thing. */
  readonly is: boolean | undefined;
  readonly why: string;
  /** The setting that is refused. */
  readonly refused?: boolean;
}

const CHECKED = 'members agree on the digest of each table before it is installed, and each read is verified by it';

/** Those of etcd 3.7. */
export const FEATURE_GATES: Readonly<Record<string, Gate>> = {
  AllAlpha: { is: undefined, why: 'each gate is named by itself' },
  AllBeta: { is: undefined, why: 'each gate is named by itself' },
  CompactHashCheck: { is: true, why: CHECKED },
  FastLeaseKeepAlive: { is: undefined, why: 'keep-alives of one turn go to the leader together' },
  InitialCorruptCheck: { is: true, why: CHECKED },
  LeaseCheckpoint: { is: true, why: 'the remaining time of leases is always written to the log' },
  LeaseCheckpointPersist: { is: true, why: 'the remaining time of leases is always written to the log' },
  PriorityRequest: { is: undefined, why: 'nothing waits behind what is large: it is done in slices' },
  SetMemberLocalAddr: { is: false, why: 'connections to members leave from whatever address the system takes', refused: true },
  StopGRPCServiceOnDefrag: { is: undefined, why: 'Defragment stops nothing' },
  TxnModeWriteWithSharedBuffer: { is: undefined, why: 'there is no buffer to copy' },
};

/** `Name=true,Name=false`, as etcd reads it. Returns what has no effect; throws UsageError. */
export function featureGateNotices(text: string): string[] {
  const notices: string[] = [];
  for (const part of text.split(',').map((each) => each.trim()).filter((each) => each !== '')) {
    const [, name = '', value] = /^([^=]+)=(.*)$/.exec(part) ?? [];
    const wanted = /^(1|t|true)$/i.test(value ?? '') ? true : /^(0|f|false)$/i.test(value ?? '') ? false : undefined;
    if (wanted === undefined) throw new UsageError(`--feature-gates: ${JSON.stringify(part)} is not Name=true or Name=false`);
    const gate = Object.hasOwn(FEATURE_GATES, name) ? FEATURE_GATES[name] : undefined;
    if (gate === undefined) throw new UsageError(`--feature-gates: there is no gate ${JSON.stringify(name)}; there are ${Object.keys(FEATURE_GATES).join(', ')}`);
    if (gate.refused === wanted) throw new UsageError(`--feature-gates: ${name}=${wanted} is refused: ${gate.why}`);
    if (gate.is !== wanted) notices.push(`--feature-gates ${name}=${wanted} has no effect: ${gate.why}`);
  }
  return notices;
}
