/** Forms that an address opens by what comes after its `#`. */

/** Open the form for something new when the address ends in `#create`; once, so that a reload does not ask again. */
export function createByAddress(create) {
  if (location.hash !== "#create") return;
  history.replaceState(null, "", location.pathname + location.search);
  create();
}
