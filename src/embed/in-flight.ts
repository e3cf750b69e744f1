/** How many calls to a member in this process wait for their answer. Written by its connections. */

export class InFlight {
  #calls = 0;

  get calls(): number {
    return this.#calls;
  }

  begin(): void {
    this.#calls++;
  }

  end(): void {
    this.#calls--;
  }
}
