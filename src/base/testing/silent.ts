/** For tests that look at something else. */

import type { EventSink } from '../events.js';

/** Drops everything. */
export const silent: EventSink = { emit: () => undefined };
