/**
 * Where a member is found: the URL that stands for a place of the network, which is where a machine
 * stands for the whole run. Members come and go at it.
 */

import type { NodeId } from '../../base/ids.js';

const ADDRESS = /^http:\/\/n(\d{1,6}):2380$/;

export function addressOf(place: NodeId): string {
  return `http://n${place}:2380`;
}

/** Undefined: nothing of this network. */
export function placeAt(url: string | undefined): NodeId | undefined {
  const number = ADDRESS.exec(url ?? '')?.[1];
  return number === undefined ? undefined : Number(number);
}
