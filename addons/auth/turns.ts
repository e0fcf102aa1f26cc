/** A queue in which those who wait take turns: addresses, and at each of them the users. */
export class Turns<Item> {
  #size = 0;
  readonly #items: Item[] = [];
  /** In the order of their turns. */
  readonly #branches = new Map<string, Turns<Item>>();

  /** How many wait, at all or in a branch. */
  size(branch?: string): number {
    return branch === undefined ? this.#size : (this.#branches.get(branch)?.size() ?? 0);
  }

  /** Its place is at the end of this way of branches. */
  put([key, ...rest]: readonly string[], item: Item): void {
    this.#size += 1;
    if (key === undefined) {
      this.#items.push(item);
      return;
    }
    const branch = this.#branches.get(key) ?? new Turns<Item>();
    this.#branches.set(key, branch);
    branch.put(rest, item);
  }

  /** The next, if there is one. */
  take(): Item | undefined {
    if (this.#size === 0) return undefined;
    this.#size -= 1;
    const [first] = this.#branches;
    if (first === undefined) return this.#items.shift();
    const [key, branch] = first;
    const item = branch.take();
    this.#branches.delete(key);
    if (branch.size() > 0) this.#branches.set(key, branch);
    return item;
  }
}
