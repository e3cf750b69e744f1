/** Ways through the write path that many runs together must have gone: branches of the coverage. */

export const PATHS = {
  /** A leader's entries are on their way to a follower while its own disk still writes them. */
  sentBeforeWritten: 'path sent before its own write',
  /** The others are a majority without it. */
  committedBeforeWritten: 'path committed before the leader\'s own write',
  stalledLeaderGaveUp: 'path a leader whose disk stalls gives up its office',
  /** The lead went on while a member's disk stalled. */
  ledOnDuringStall: 'path the lead goes on while a disk stalls',
  /** An entry that the usual segment has no room for. */
  largerSegment: 'path a segment that is larger than usual',
  /** A leader's own copy of an entry, which a follower still needs. */
  flippedInMemory: 'path an entry flipped in a leader\'s memory',
  /** It stepped down over such a copy, because a follower made no progress. */
  badCopyGaveUp: 'path a leader whose own copy is bad gives up its office',
  /** Entries of two members at least were lost before either of them came back. */
  logsDamagedTogether: 'path damage to two logs at once',
  manifestsLostTogether: 'path two manifests lost at once',
  /** Before any member has applied the settings of the cluster. */
  struckBeforeLeader: 'path a fault before there is a leader',
  /** A life was started with other flags than the cluster was begun with. */
  otherFlags: 'path a later life with other flags',
  /** All members run the newer program, which came to one after the other. */
  upgraded: 'path all members upgraded',
  /** One that had the newer program got the older one again. */
  takenBack: 'path an upgraded member taken back',
} as const;

/** How a member without its promises comes back: two ways for each error that it ends with. */
export function readmitted(by: 'itself' | 'an operator', code: string): string {
  return `readmission by ${by} ${code}`;
}

/** See `replica/log/log-ways.ts`. */
export function logWay(of: 'judgement' | 'recovery', way: string): string {
  return `log ${of} ${way}`;
}
