// Time and chance, so that tests can turn them.

export const platform = {
  now: (): number => Date.now(),
  random: (): number => Math.random(),
};

// Not to be guessed: for ids and tokens. `crypto.randomUUID` exists only in secure contexts, so it is not used.
export function randomToken(bytes = 12): string {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(random, (byte) => byte.toString(36).padStart(2, '0')).join('');
}
