/**
 * What a client may make us do that is of no use to it. Two purses: frames that cost us and not the
 * client (pings, settings, priorities, empty data, window updates, unknown frames), and streams
 * that end without a response (resets of its own, and those that it provokes). Both are bounded,
 * and are filled by time and by useful work, so that whoever lets itself be served may ping and
 * cancel as it likes.
 */

const FRAMES_MAX = 4_096;
const FRAMES_PER_MS = 1;
const RESETS_MAX = 1_000;
const RESETS_PER_MS = 1;
/** Open streams that may be given up at once on top of that. */
const MAX_OPEN = 10_000;
/** Frames earned by a response or a frame of payload, and by each 2^10 bytes of that. */
const PER_FRAME = 4;
const PAYLOAD_SHIFT = 10;
/** Purses hold whole numbers, so they are not filled for less time than this. */
const FILL_MS = 10;

export class FloodBudget {
  readonly #resetsMax: number;
  #frames = FRAMES_MAX;
  #resets: number;
  #filledAt: number;

  /** A client that gives up all of its `maxStreams` requests at once is not flooding. */
  constructor(maxStreams: number, now: number) {
    this.#resetsMax = RESETS_MAX + Math.min(maxStreams, MAX_OPEN);
    this.#resets = this.#resetsMax;
    this.#filledAt = now;
  }

  /** False: too many, ENHANCE_YOUR_CALM. */
  frame(cost = 1): boolean {
    this.#frames -= cost;
    return this.#frames >= 0;
  }

  /** A stream that ends without a response; false as above. */
  reset(): boolean {
    this.#resets--;
    return this.#resets >= 0;
  }

  /** A response went out whole. */
  responded(): void {
    if (this.#frames < FRAMES_MAX) this.#frames += PER_FRAME;
    if (this.#resets < this.#resetsMax) this.#resets++;
  }

  /** So much payload was moved in one frame, which was not made small by the client. */
  moved(bytes: number): void {
    if (this.#frames < FRAMES_MAX) this.#frames += PER_FRAME + (bytes >>> PAYLOAD_SHIFT);
  }

  tick(now: number): void {
    const ms = now - this.#filledAt;
    if (ms < FILL_MS) return;
    this.#filledAt = now;
    this.#frames = Math.min(FRAMES_MAX, this.#frames + Math.floor(ms * FRAMES_PER_MS));
    this.#resets = Math.min(this.#resetsMax, this.#resets + Math.floor(ms * RESETS_PER_MS));
  }
}
