/* A firmware of the cloud's that is signed: a header, then an image, as docs/upgrade.md section 2 has it. */
#ifndef TESTS_SUPPORT_SIGNED_FIRMWARE_H_
#define TESTS_SUPPORT_SIGNED_FIRMWARE_H_

#define SIGNED_HEADER 256u
#define SIGNED_IMAGE  12001u
/* Of the cloud's firmware: signed for DEVICE_PRODUCT and CLOUD_VERSION with the seed of 32 bytes 7. */
#define SIGNED_KEY       "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c"
#define SIGNED_MD5       "8442bc0915783a9ea3665771b4e58bee"
#define SIGNED_WRONG_MD5 "494a5617a6154aa70dab10239d72bfde" /* byte 5000 is another one */

/* Lets the cloud have it; the URL stays. */
void signed_firmware_offer(void);

#endif /* TESTS_SUPPORT_SIGNED_FIRMWARE_H_ */
