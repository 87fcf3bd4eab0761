################################################################################
#
# libiot-sdk
#
################################################################################

# Yours: where you keep the sources, and which commit. Buildroot lays the crates of Cargo.lock beside them.
LIBIOT_SDK_VERSION = main
LIBIOT_SDK_SITE = https://github.com/OWNER/REPOSITORY.git
LIBIOT_SDK_SITE_METHOD = git
LIBIOT_SDK_LICENSE = MIT or Apache-2.0
LIBIOT_SDK_LICENSE_FILES = LICENSE-MIT LICENSE-APACHE
LIBIOT_SDK_INSTALL_STAGING = YES
LIBIOT_SDK_DEPENDENCIES = host-rustc

LIBIOT_SDK_DOWNLOAD_DEPENDENCIES = host-rustc
LIBIOT_SDK_DOWNLOAD_POST_PROCESS = cargo
LIBIOT_SDK_DL_ENV = CARGO_HOME=$(BR_CARGO_HOME)

# The crate that carries the sources of mbedTLS is in a lock file of its own.
LIBIOT_SDK_MBEDTLS = mbedtls-rs-sys-0.3.1
LIBIOT_SDK_EXTRA_DOWNLOADS = https://static.crates.io/crates/mbedtls-rs-sys/$(LIBIOT_SDK_MBEDTLS).crate

define LIBIOT_SDK_EXTRACT_MBEDTLS
	$(TAR) -xzf $(LIBIOT_SDK_DL_DIR)/$(LIBIOT_SDK_MBEDTLS).crate -C $(@D)
endef
LIBIOT_SDK_POST_EXTRACT_HOOKS += LIBIOT_SDK_EXTRACT_MBEDTLS

# CMake calls cargo when it builds.
LIBIOT_SDK_MAKE_ENV = \
	$(PKG_CARGO_ENV) \
	CARGO_NET_OFFLINE=true \
	CFLAGS_$(subst -,_,$(RUSTC_TARGET_NAME))="$(TARGET_CFLAGS)" \
	IOT_MBEDTLS_DIR=$(@D)/$(LIBIOT_SDK_MBEDTLS)/mbedtls

LIBIOT_SDK_CONF_OPTS = \
	-DCARGO=$(HOST_DIR)/bin/cargo \
	-DCARGO_TARGET=$(RUSTC_TARGET_NAME) \
	-DBUILD_TESTING=OFF

ifeq ($(BR2_PACKAGE_LIBIOT_SDK_CERT),y)
LIBIOT_SDK_CONF_OPTS += -DFEATURE_AUTH_MODE=CERT
else
LIBIOT_SDK_CONF_OPTS += -DFEATURE_AUTH_MODE=KEY
endif

ifeq ($(BR2_PACKAGE_LIBIOT_SDK_SMALL),y)
LIBIOT_SDK_CONF_OPTS += -DFEATURE_TLS=mbedtls
else
LIBIOT_SDK_CONF_OPTS += -DFEATURE_TLS=rustls
endif

ifeq ($(BR2_PACKAGE_LIBIOT_SDK_SHARED),y)
LIBIOT_SDK_CONF_OPTS += -DIOT_BUILD_SHARED=ON
else
LIBIOT_SDK_CONF_OPTS += -DIOT_BUILD_SHARED=OFF
endif

$(eval $(cmake-package))
