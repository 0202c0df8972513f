/* Places for backups that vanish, fill up, may not be written, hold links, or are used by another process at the same time:
 * each has its own result and remedy, and an older backup stays whole. Run as "PROGRAM FOLDER other" it is that process. */
#define _GNU_SOURCE /* unshare */
#include "common.h"

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { ROUNDS = 5, SMALLER_THAN_ANY_BACKUP = 16 * 1024 };
static const char NAME[] = "licenses.wmbackup";

static wm_result run(wm_client *client, recorder *events, const char *folder, bool backup) {
  wm_backup_restorer *restorer = NULL;
  CHECK_OK(wm_create_backup_restorer(client, events != NULL ? record : NULL, events, &restorer));
  CHECK_OK(wm_set_string_prop(restorer, backup ? WM_PROP_BACKUP_PATH : WM_PROP_RESTORE_PATH, folder));
  CHECK_OK(backup ? wm_backup_licenses(restorer, WM_BACKUP_OVERWRITE) : wm_restore_licenses(restorer, 0));
  wm_result result = finish(restorer);
  CHECK_OK(wm_release(restorer));
  return result;
}

static wm_result back_up(wm_client *client, const char *folder) { return run(client, NULL, folder, true); }
static wm_result restore(wm_client *client, const char *folder) { return run(client, NULL, folder, false); }

/* What the last failure's detail advises. */
static uint32_t remedy(void) {
  wm_error_info info = {0};
  info.struct_size = sizeof info;
  CHECK_OK(wm_get_error_info(&info));
  CHECK(info.message[0] != 0);
  return info.remedy;
}

static char *new_folder(const char *in, const char *name) {
  char *path = path_in(in, name);
  CHECK(mkdir(path, 0700) == 0);
  return path;
}

/* Names in a folder, hidden ones too; with `clear` they are removed. */
static size_t names(const char *folder, bool clear) {
  DIR *open = opendir(folder);
  size_t found = 0;
  CHECK(open != NULL);
  for (struct dirent *entry; (entry = readdir(open)) != NULL;) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    found++;
    if (clear) CHECK(unlinkat(dirfd(open), entry->d_name, 0) == 0);
  }
  CHECK(closedir(open) == 0);
  return found;
}

/* --- a folder that vanishes while the backup is written ------------------------------------------------------------ */

static char *vanishing, *moved;

static wm_result take_out(recorder *seen, const event *now, void *context) {
  (void)seen, (void)context;
  if (now->status != WM_STATUS_BACKUPRESTORE_BEGIN) return 0;
  if (moved != NULL) {
    CHECK(rename(vanishing, moved) == 0);
  } else {
    names(vanishing, true);
    CHECK(rmdir(vanishing) == 0);
  }
  return 0;
}

static void a_folder_that_vanishes_is_told(wm_client *client, const char *root) {
  recorder events = RECORDER_INIT;
  events.hook = take_out;
  vanishing = new_folder(root, "vanishing");
  CHECK_RESULT(run(client, &events, vanishing, true), WM_E_PATH_NOT_FOUND);
  CHECK_EQ(remedy(), WM_REMEDY_CHOOSE_PLACE);
  CHECK_EQ(recorder_count(&events, WM_STATUS_BACKUPRESTORE_END), 1);
  CHECK(mkdir(vanishing, 0700) == 0);
  moved = path_in(root, "moved");
  CHECK_RESULT(run(client, &events, vanishing, true), WM_E_PATH_NOT_FOUND);
  free(vanishing), free(moved);
}

/* --- no room, no right to write ------------------------------------------------------------------------------------- */

static void a_place_without_room_keeps_the_older_backup(wm_client *client, const char *backup) {
  struct rlimit kept, small;
  CHECK(getrlimit(RLIMIT_FSIZE, &kept) == 0);
  small = kept, small.rlim_cur = SMALLER_THAN_ANY_BACKUP;
  CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR && setrlimit(RLIMIT_FSIZE, &small) == 0);
  wm_result result = back_up(client, backup);
  CHECK(setrlimit(RLIMIT_FSIZE, &kept) == 0);
  CHECK_RESULT(result, WM_E_DISK_FULL);
  CHECK_EQ(remedy(), WM_REMEDY_FREE_SPACE);
  CHECK_EQ(names(backup, false), 1);
  CHECK_OK(restore(client, backup));
}

/* Makes the folder read-only for this process: by a mount of its own where that is allowed, by its mode otherwise. */
static void forbid_writing(const char *folder) {
  if (geteuid() != 0) {
    CHECK(chmod(folder, 0500) == 0);
    return;
  }
  CHECK(mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0); /* valgrind takes no NULL here */
  CHECK(mount(folder, folder, "none", MS_BIND, NULL) == 0);
  CHECK(mount("none", folder, "none", MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) == 0);
}

static void a_read_only_place_is_told_and_still_restores(wm_client *client, const char *root) {
  char *folder = new_folder(root, "read-only");
  CHECK_OK(back_up(client, folder));
  if (geteuid() == 0 && unshare(CLONE_NEWNS) != 0) {
    fprintf(stderr, "skipped: a container without mounts\n");
  } else {
    forbid_writing(folder);
    CHECK_RESULT(back_up(client, folder), WM_E_PATH_READ_ONLY);
    CHECK_EQ(remedy(), WM_REMEDY_CHOOSE_PLACE);
    CHECK_EQ(names(folder, false), 1);
    CHECK_OK(restore(client, folder));
  }
  free(folder);
}

/* --- links, and another process ------------------------------------------------------------------------------------- */

static void no_link_is_followed_out_of_the_folder(wm_client *client, const char *root) {
  char *folder = new_folder(root, "links"), *target = path_in(root, "precious"), *link = path_in(folder, NAME);
  FILE *made = fopen(target, "w");
  CHECK(made != NULL && fputs("precious", made) >= 0 && fclose(made) == 0);
  CHECK(symlink(target, link) == 0);
  CHECK_RESULT(back_up(client, folder), WM_E_PATH_OCCUPIED);
  CHECK_EQ(remedy(), WM_REMEDY_CHOOSE_PLACE);
  CHECK_RESULT(restore(client, folder), WM_E_PATH_OCCUPIED);
  struct stat found;
  CHECK(stat(target, &found) == 0);
  CHECK_EQ(found.st_size, 8);
  CHECK_EQ(names(folder, false), 1);
  free(folder), free(target), free(link);
}

static void two_processes_leave_one_whole_backup(wm_client *client, const char *program, const char *root) {
  char *backup = path_in(root, "backup"), *words[] = {(char *)program, (char *)root, "other", NULL};
  pid_t other = 0;
  int status = 0;
  CHECK(posix_spawn(&other, program, NULL, NULL, words, environ) == 0);
  for (int round = 0; round < ROUNDS; round++) CHECK_OK(back_up(client, backup));
  CHECK(waitpid(other, &status, 0) == other);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  CHECK_EQ(names(backup, false), 1);
  CHECK_OK(restore(client, backup));
  free(backup);
}

int main(int argc, char **argv) {
  CHECK(argc == 2 || argc == 3);
  wm_client *client = open_client(argv[1], "store");
  char *backup = path_in(argv[1], "backup");
  if (argc == 3) {
    for (int round = 0; round < ROUNDS; round++) CHECK_OK(back_up(client, backup));
  } else {
    individualize(client);
    CHECK_RESULT(acquire(client, KID_VIDEO), WM_S_LICENSE_ACQUIRED);
    CHECK(mkdir(backup, 0700) == 0);
    two_processes_leave_one_whole_backup(client, argv[0], argv[1]);
    a_place_without_room_keeps_the_older_backup(client, backup);
    a_folder_that_vanishes_is_told(client, argv[1]);
    no_link_is_followed_out_of_the_folder(client, argv[1]);
    a_read_only_place_is_told_and_still_restores(client, argv[1]);
  }
  CHECK_OK(wm_release(client));
  CHECK_EQ(wm_live_objects(), 0);
  free(backup);
  return 0;
}
