/** Where what etcdctl prints of ours differs from what it prints of an etcd, and should. */

import type { Known } from '../compare.js';

export const CTL_KNOWN: readonly Known[] = [
  {
    call: /endpoint status -w (json|fields)/,
    reason: 'storageVersion is a version of our cluster: a whole number',
  },
  {
    call: /alarm list -w (json|fields|protobuf)$/,
    etcd: /^3\.4\./,
    reason: 'the answer to an alarm has a header, as that of 3.7 has',
  },
  {
    call: /--user=alice:apw (compaction|defrag)/,
    etcd: /^3\.4\./,
    reason: 'who may not is refused before anything else is looked at, as by 3.7',
  },
  {
    call: /^downgrade: .*downgrade cancel/,
    reason: 'versions of our clusters are whole numbers',
  },
  {
    call: /^snapshot save: snapshot save$/,
    reason: 'the version that is told of a snapshot is one of our clusters: a whole number',
  },
  {
    call: /^member.*: etcdctl member list$/,
    reason: 'a learner of ours answers whatever needs no vote; one of etcd only Status, Snapshot and serializable Range',
  },
];
