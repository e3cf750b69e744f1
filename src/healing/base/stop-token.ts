/**
 * That the node stops: said once, by healing itself, and read by every part before it begins or
 * goes on with anything.
 */

export interface StopToken {
  readonly cancelled: boolean;
}
