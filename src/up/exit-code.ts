/** Exit code of a process that cannot run here, however often it is started (EX_CONFIG of sysexits). */
export const hopelessCode = 78;
