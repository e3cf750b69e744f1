/**
 * What a watch was told, held against all that happened: each change that it wants, from where it
 * began up to where it was told, once, in order, as it was, with what was there before.
 */

import { describeKv, keyName } from '../../workload/history/describe.js';
import type { Kv } from '../../workload/history/operation.js';
import { sameKv } from '../../workload/judge/differs.js';
import type { Change } from '../../workload/judge/reference-store.js';
import { wants } from './wanted.js';
import { WATCH_PROGRESS, type Breach, type Stretch, type Told, type WatchLog } from './watch-log.js';

/** All that happened. */
export interface Past {
  readonly revision: number;
  changesAt(revision: number): readonly Change[];
}

export interface Misfit extends Breach {
  readonly atUs: number;
  readonly node: number;
}

export const WATCH_ALL = 'a watch is told all';
export const WATCH_TRUE = 'a watch is told what was';
export const WATCH_PREVIOUS = 'a watch is told what was there before';

/** `gone`: whether what was there before a revision may have been compacted at that time. */
export function judgeWatch(
  { wanted, stretches }: WatchLog, past: Past, gone: (revision: number, atUs: number) => boolean,
): Misfit | undefined {
  for (const stretch of stretches) {
    if (stretch.toldTo > past.revision && stretch.toldTo >= stretch.from) {
      const why = `it was told that it has all up to ${stretch.toldTo}, and there are only ${past.revision} revisions`;
      return misfit(WATCH_PROGRESS, why, stretch.told.at(-1));
    }
    const found = judgeStretch(stretch, past, (change) => wants(wanted, change.now), (told, change) => {
      if (!wanted.prevKv || sameKv(told.prev, change.before)) return undefined;
      if (told.prev === undefined && gone(told.kv.mod, told.atUs)) return undefined;
      return misfit(WATCH_PREVIOUS, `of ${say(told.kv)} it was told ${say(told.prev)}, and there was ${say(change.before)}`, told);
    });
    if (found !== undefined) return found;
  }
  return undefined;
}

function judgeStretch(
  { from, told, toldTo }: Stretch, past: Past, wanted: (change: Change) => boolean,
  previous: (told: Told, change: Change) => Misfit | undefined,
): Misfit | undefined {
  let at = 0;
  for (let revision = from; revision <= toldTo; revision++) {
    for (const change of past.changesAt(revision)) {
      if (!wanted(change)) continue;
      const event = told[at++];
      if (event === undefined || event.kv.mod > revision || (event.kv.mod === revision && event.kv.key !== change.now.key)) {
        const why = `it was not told of ${say(change.now)}; next it was told ${say(event?.kv)}; told up to ${toldTo}`;
        return misfit(WATCH_ALL, why, event ?? told.at(-1));
      }
      if (!sameKv(event.kv, change.now)) return misfit(WATCH_TRUE, `it was told ${say(event.kv)}, and what was is ${say(change.now)}`, event);
      const wrong = previous(event, change);
      if (wrong !== undefined) return wrong;
    }
  }
  const extra = told[at];
  return extra && misfit(WATCH_TRUE, `it was told ${say(extra.kv)}, which was not`, extra);
}

function misfit(check: string, why: string, told: Told | undefined): Misfit {
  return { check, why, atUs: told?.atUs ?? 0, node: told?.node ?? 0 };
}

function say(kv: Kv | undefined): string {
  if (kv === undefined) return 'nothing';
  return kv.version === 0 ? `the end of key ${keyName(kv.key)} at ${kv.mod}` : describeKv(kv);
}
