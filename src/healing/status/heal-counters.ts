/** What healing counts from a node's start on. */

export interface HealCounters {
  correctedBlocks: number;
  transientFaults: number;
  uncorrectableBlocks: number;
  repairedBlocks: number;
  hintsForwarded: number;
  hintsReceived: number;
  healsProposed: number;
  healsApplied: number;
  healsFailed: number;
}

export function noCounts(): HealCounters {
  return {
    correctedBlocks: 0, transientFaults: 0, uncorrectableBlocks: 0, repairedBlocks: 0, hintsForwarded: 0,
    hintsReceived: 0, healsProposed: 0, healsApplied: 0, healsFailed: 0,
  };
}
