/** What has to be given back at the end, in the opposite order. */
export class Resources {
  readonly #closers: { name: string; close: () => Promise<void> }[] = [];

  add(name: string, close: () => Promise<void>): void {
    this.#closers.push({ name, close });
  }

  /** Closes what has that name before its turn. */
  async closeOne(name: string): Promise<void> {
    const at = this.#closers.findIndex((closer) => closer.name === name);
    const [closer] = at < 0 ? [] : this.#closers.splice(at, 1);
    await closer?.close();
  }

  /** Closes everything; one failure does not stop the rest. @returns what failed. */
  async close(): Promise<{ name: string; error: unknown }[]> {
    const failures: { name: string; error: unknown }[] = [];
    for (let closer = this.#closers.pop(); closer !== undefined; closer = this.#closers.pop()) {
      try {
        await closer.close();
      } catch (error) {
        failures.push({ name: closer.name, error });
      }
    }
    return failures;
  }
}
