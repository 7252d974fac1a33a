// Links to this page for other devices.

// Addresses of this computer in its network: the server tells them to its own user only.
let known: string[] = [];

export function setAddresses(addresses: string[]): void {
  known = addresses;
}

export interface Share {
  // For another tab, and with `isLocal` for no other device.
  here: string;
  // For a phone: the same, or this computer's address in its network, where camera and microphone are not to be had.
  others: string;
  isLocal: boolean;
}

export function shareLink(fragment: Record<string, string>, page = new URL(location.href)): Share {
  const url = new URL(page);
  url.search = '';
  url.hash = new URLSearchParams(fragment).toString();
  const here = url.href;
  const isLocal = /^(localhost|127\.[\d.]+|\[::1\])$/.test(url.hostname);
  const [address] = known;
  if (isLocal && address) url.hostname = address;
  return { here, others: url.href, isLocal };
}
